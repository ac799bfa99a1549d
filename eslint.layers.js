// Who may import whom. An arrow that is not written here is broken by lint, not by review.

import { readdirSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { join } from 'node:path'

/** Node's own modules are imported by their full name, so that nobody takes them for packages. */
export const bareBuiltins = builtinModules
  .filter((name) => !name.startsWith('_') && !name.startsWith('node:'))
  .map((name) => ({ name, message: `Write node:${name}.` }))

/** The layers of core, each with those it may import. Nothing imports upwards; `testing` is imported by nobody. */
const CORE_LAYERS = {
  json: [],
  job: [],
  blueprint: ['job', 'json'],
  ports: ['job'],
  memory: ['ports', 'job'],
  engine: ['ports', 'job', 'blueprint', 'json'],
  webhooks: ['ports', 'job'],
  http: ['engine', 'ports', 'job', 'blueprint', 'json'],
  orchestrator: ['http', 'webhooks', 'engine', 'memory', 'ports', 'job', 'blueprint', 'json'],
  testing: ['engine', 'memory', 'ports', 'job', 'blueprint', 'json'],
}

/** Inside the engine: who may import whom of its folders. Files beside the folders are for all of them. */
const ENGINE_FOLDERS = {
  jobs: [],
  workers: [],
  outgoing: ['jobs'],
  schedules: ['jobs'],
  matching: ['jobs', 'workers'],
  steps: ['jobs', 'workers', 'matching'],
  dispatch: ['jobs', 'workers', 'matching', 'steps'],
  lines: ['workers', 'dispatch'],
}

/** Our packages, each with those of ours that its sources may import. */
const PACKAGES = {
  protocol: [],
  core: ['protocol'],
  'storage-redis': ['core', 'protocol'],
  client: ['protocol'],
  'worker-sdk': ['protocol'],
}

assertListed('packages', PACKAGES)
assertListed('packages/core/src', CORE_LAYERS)
assertListed('packages/core/src/engine', ENGINE_FOLDERS)

/** A new folder has no arrows until somebody writes them down, so it may not go unnoticed. */
function assertListed(folder, arrows) {
  const folders = readdirSync(join(import.meta.dirname, folder), { withFileTypes: true })
    .filter((each) => each.isDirectory())
    .filter((each) => readdirSync(join(each.parentPath, each.name)).length > 0)
  const missing = folders.filter((each) => !(each.name in arrows))
  if (missing.length === 0) return
  const names = missing.map(({ name }) => `${folder}/${name}`).join(', ')
  throw new Error(`eslint.layers.js does not say what ${names} may import; add it.`)
}

/** Inside core: `http → engine → ports → job, blueprint`, and never back. */
export const coreLayers = {
  name: 'layers of core',
  files: ['packages/core/src/**/*.ts'],
  rules: {
    'import-x/no-restricted-paths': [
      'error',
      {
        basePath: import.meta.dirname,
        zones: [
          ...Object.entries(CORE_LAYERS).map(([layer, allowed]) => ({
            target: `./packages/core/src/${layer}`,
            from: './packages/core/src',
            except: [layer, ...allowed].map((name) => `./${name}`),
            message: `${layer}/ may import only ${[...allowed, 'itself'].join(', ')} of core.`,
          })),
          ...Object.entries(ENGINE_FOLDERS).map(([folder, allowed]) => ({
            target: `./packages/core/src/engine/${folder}`,
            from: Object.keys(ENGINE_FOLDERS)
              .filter((other) => other !== folder && !allowed.includes(other))
              .map((other) => `./packages/core/src/engine/${other}`),
            message: `engine/${folder}/ may import only ${[...allowed, 'itself'].join(', ')} of the engine's folders.`,
          })),
        ],
      },
    ],
  },
}

/** Between packages: through their doors only, and never against the arrows. */
export const packageArrows = Object.entries(PACKAGES).map(([name, allowed]) => ({
  name: `arrows of ${name}`,
  files: [`packages/${name}/src/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      { paths: bareBuiltins, patterns: [ourPackagesExcept(name, allowed)] },
    ],
  },
}))

function ourPackagesExcept(name, allowed) {
  const good = allowed.map((each) => `${each}(/|$)`).join('|')
  return {
    regex: good === '' ? '^@avtomatika/' : `^@avtomatika/(?!${good})`,
    message: `${name} may import ${allowed.length === 0 ? 'nothing of ours' : `only ${allowed.join(', ')}`}.`,
  }
}

const CLOCK = 'Time comes in as an argument or through the Clock port.'
const CHANCE = 'Chance comes in through the Ids or Random port.'

/** The rules of a job and of a blueprint neither wait nor look at the world. */
export const pureLayers = {
  name: 'pure layers of core',
  files: ['packages/core/src/{json,job,blueprint,engine,memory,webhooks,http}/**/*.ts'],
  rules: {
    'no-restricted-properties': [
      'error',
      { object: 'Date', property: 'now', message: CLOCK },
      { object: 'performance', property: 'now', message: CLOCK },
      { object: 'Math', property: 'random', message: CHANCE },
      { object: 'crypto', property: 'randomUUID', message: CHANCE },
    ],
  },
}
