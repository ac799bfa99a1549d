// `npm run demo`: builds what the quick start needs, then runs it.
import { bootstrap, main, SetupProblem } from './bootstrap.mjs'
import { runAttached, runQuietly } from './run-command.mjs'

const BUILD =
  'pnpm exec turbo run build --filter=@avtomatika-examples/quickstart... --output-logs=errors-only'

await main(async () => {
  const env = bootstrap()
  const { code, output } = await runQuietly(BUILD.split(' '), env)
  if (code !== 0)
    throw new SetupProblem(`${output}\nThe packages could not be built; the lines above say why.`)
  process.exitCode = await runAttached(['node', 'examples/quickstart/demo.ts'], env)
})
