// Bundles Segment's destinations and the worker into one file: `node build.mjs FOLDER`, in a folder where this one's
// packages are installed. Writes FOLDER/worker.cjs, and FOLDER/build.json with what only the packages know.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { build } from 'esbuild'

const require = createRequire(import.meta.url)
const target = path.resolve(process.argv[2])
const packageFile = require.resolve('@segment/action-destinations/package.json')
const { version } = JSON.parse(readFileSync(packageFile, 'utf8'))

// Clients that open connections of their own. A destination that reaches one of these can't be held to our fetch.
const OWN_CONNECTIONS = /node_modules\/(kafkajs|ssh2|ssh2-sftp-client|@aws-sdk\/client-[a-z0-9-]+)\//

// The package registers its destinations with computed paths, which can't be bundled. Each is loaded when asked for.
const { manifest } = require('@segment/action-destinations')
const registered = Object.entries(manifest).map(([id, { definition, directory }]) => ({
  id,
  slug: definition.slug,
  module: `@segment/action-destinations/dist/destinations/${directory}`
}))
const lines = registered.map(
  ({ id, slug, module }) => `  ${JSON.stringify(slug)}: { id: '${id}', load: () => require('${module}').default }`
)
writeFileSync(
  'destinations.js',
  `exports.version = '${version}'\nexports.registered = {\n${lines.join(',\n')}\n}\n`
)

mkdirSync(target, { recursive: true })
const { metafile } = await build({
  entryPoints: ['main.js'],
  outfile: path.join(target, 'worker.cjs'),
  bundle: true,
  platform: 'node',
  target: 'node22',
  // Errors are told apart by the names of their classes.
  keepNames: true,
  minifyWhitespace: true,
  external: ['cpu-features', '*.node'],
  alias: { 'cross-fetch': './fetch.js', '@segment/fql-ts': './lexer.js' },
  legalComments: 'none',
  logLevel: 'error',
  metafile: true
})

function reaches(file, pattern, seen = new Set()) {
  if (pattern.test(file)) return true
  if (seen.has(file)) return false
  seen.add(file)
  return (metafile.inputs[file]?.imports ?? []).some((next) => !next.external && reaches(next.path, pattern, seen))
}

const inputs = Object.keys(metafile.inputs)
const input = ({ module }) => inputs.find((file) => file.endsWith(`node_modules/${module}/index.js`))
const direct = registered
  .filter((each) => reaches(input(each), OWN_CONNECTIONS))
  .map(({ slug }) => slug)
writeFileSync(path.join(target, 'build.json'), JSON.stringify({ version, direct }))
