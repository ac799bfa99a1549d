import { InputError, parseRequest } from '@avtomatika/protocol'

type Schema = Parameters<typeof parseRequest>[0]

/**
 * The JSON of a request. Written once per call, so each retry sends the same bytes.
 *
 * @param what - names the message in the errors' texts, such as `event`.
 * @throws {@link InputError} `INVALID_REQUEST` when a field cannot be sent; `DATA_NOT_JSON` when
 * JSON has no word for a value in it.
 */
export function toJsonBody(schema: Schema, body: object, what: string): string {
  parseRequest(schema, body, what)
  try {
    return JSON.stringify(body)
  } catch (cause) {
    throw new InputError('DATA_NOT_JSON', {
      message: `The data of the ${what} cannot be written as JSON: see \`cause\`.`,
      cause,
    })
  }
}
