import { readdirSync, readFileSync } from 'node:fs'

import { messageSchemas } from '../src/index.ts'
import type { MessageName } from '../src/index.ts'

/** A message as a generation of peers sends it. */
export interface Fixture {
  readonly name: string
  readonly message: MessageName
  readonly json: unknown
}

const FOLDER = new URL('./fixtures/', import.meta.url)

export function readFixture(name: string): unknown {
  const text = readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')
  return JSON.parse(text)
}

/** All golden messages; the part before the dot names the schema, the part after it who sends it. */
export function allFixtures(): Fixture[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .map((name) => ({ name, message: messageOf(name), json: readFixture(name) }))
}

function messageOf(name: string): MessageName {
  const message = name.split('.')[0]
  if (message === undefined || !isMessageName(message))
    throw new Error(`No schema for ${name}.json`)
  return message
}

function isMessageName(name: string): name is MessageName {
  return Object.hasOwn(messageSchemas, name)
}
