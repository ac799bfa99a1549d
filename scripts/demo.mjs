// `npm run demo`: everything that the quick start needs, then the quick start itself.
import { ensureDependencies, fail, run, toolEnvironment } from './tools.mjs'

const env = toolEnvironment()
ensureDependencies(env)
const build = ['turbo', 'run', 'build', '--filter=@avtomatika-examples/quickstart...']
if (!run(['pnpm', 'exec', ...build, '--output-logs=errors-only', '--log-order=grouped'], { env, stdio: ['ignore', 'ignore', 'inherit'] })) {
  run(['pnpm', 'exec', ...build, '--output-logs=errors-only'], { env })
  fail('The packages could not be built.', 'The lines above say why.')
}
process.exit(run(['node', 'examples/quickstart/demo.ts'], { env }) ? 0 : 1)
