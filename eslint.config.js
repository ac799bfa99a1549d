// How our code is held to its shape: strict types, small files, one-way arrows between layers and packages.
import { defineConfig, globalIgnores } from 'eslint/config'
import { createNodeResolver, importX } from 'eslint-plugin-import-x'
import { configs as typescript, parser } from 'typescript-eslint'
import { bareBuiltins, coreLayers, packageArrows, pureLayers } from './eslint.layers.js'

const TYPESCRIPT = '**/*.ts'
const SCRIPTS = '**/*.{js,mjs,cjs}'
const SOURCES = ['packages/*/src/**/*.ts', 'apps/*/src/**/*.ts']
const LIBRARIES = 'packages/*/src/**/*.ts'
const TESTS = ['**/test/**/*.ts', 'e2e/**/*.ts', 'packages/*/src/testing/**/*.ts']

/** What our scripts use of that which is there without an import. */
const NODE_GLOBALS = Object.fromEntries(
  ['console', 'fetch', 'performance', 'process', 'setTimeout', 'URL'].map((name) => [
    name,
    'readonly',
  ]),
)

export default defineConfig(
  globalIgnores(['**/dist/', '**/coverage/', '.tools/', '.turbo/']),
  {
    name: 'everything',
    files: [TYPESCRIPT, SCRIPTS],
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts'],
      'import-x/external-module-folders': ['node_modules'],
      'import-x/resolver-next': [
        createNodeResolver({ conditionNames: ['@avtomatika/source', 'import', 'node', 'default'] }),
      ],
    },
    rules: {
      // `== null` asks for null and undefined at once.
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-else-return': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'no-async-promise-executor': 'error',
      'no-empty': 'error',
      'no-self-assign': 'error',
      'no-sparse-arrays': 'error',
      'no-unsafe-finally': 'error',
      'no-useless-escape': 'error',
      'import-x/no-cycle': 'error',
      'import-x/no-duplicates': ['error', { considerQueryString: true }],
      'no-restricted-imports': ['error', { paths: bareBuiltins }],
    },
  },
  {
    name: 'scripts in plain JavaScript',
    files: [SCRIPTS],
    extends: [typescript.strict],
    languageOptions: { parser, globals: NODE_GLOBALS },
    rules: { 'no-undef': 'error' },
  },
  {
    name: 'TypeScript',
    files: [TYPESCRIPT],
    extends: [typescript.strictTypeChecked],
    languageOptions: {
      parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      // Numbers and booleans read well in a message.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // `return fail(…)` as a guard is how a void helper ends a void function here.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      // An abort signal's reason is passed on as it is.
      '@typescript-eslint/prefer-promise-reject-errors': [
        'error',
        { allowThrowingAny: true, allowThrowingUnknown: true },
      ],
      // There are no enums here; looking for them takes a quarter of the time.
      '@typescript-eslint/no-unsafe-enum-assignment': 'off',
      '@typescript-eslint/no-unsafe-enum-comparison': 'off',
      // `signal.aborted` and fields change across an await; the rule believes that they do not.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      // A port's method may have to be a promise although this implementation never waits.
      '@typescript-eslint/require-await': 'off',
      // `Promise<void> | void` is a plain word in a callback's type.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // A type parameter that appears once gives a caller's literal its type.
      '@typescript-eslint/no-unnecessary-type-parameters': 'off',
      // Overloads with a comment each say more than one signature with a union.
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    name: 'size and doors of sources',
    files: SOURCES,
    rules: {
      'import-x/no-default-export': 'error',
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'no-restricted-syntax': [
        'error',
        { selector: 'ExportAllDeclaration', message: 'Name what is exported; no `export *`.' },
        { selector: 'TSEnumDeclaration', message: 'Use a union of literals.' },
        { selector: 'TSParameterProperty', message: 'Declare the field and assign it.' },
      ],
    },
  },
  {
    name: 'libraries are silent',
    files: [LIBRARIES],
    rules: { 'no-console': 'error' },
  },
  packageArrows,
  coreLayers,
  pureLayers,
  {
    name: 'tests',
    files: TESTS,
    rules: {
      'max-lines': 'off',
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      // `void (() => …)` shows the compiler a call that must never run.
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
)
