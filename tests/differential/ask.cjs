// Answers questions, one JSON object a line, with Segment's own code for triggers, mappings and payloads. Questions of a
// kind it answers in their order; the process ends with its input.

const path = require('node:path')
const readline = require('node:readline')

const LEXER = require.resolve('@segment/fql-ts')
const PARSER = require.resolve('@segment/destination-subscriptions/dist/cjs/parse-fql.js')
const { parseFql, validate } = require('@segment/destination-subscriptions')

// The same parser over the lexer that the catalogue's worker has instead of Segment's.
function parserOverOurs() {
  const held = require.cache[LEXER].exports
  delete require.cache[PARSER]
  require.cache[LEXER].exports = require(path.resolve(__dirname, '../../src/headwater/catalogue/worker/lexer.js'))
  const parse = require(PARSER).default
  require.cache[LEXER].exports = held
  return parse
}
const parseOurs = parserOverOurs()

const inside = (file) => path.join(path.dirname(require.resolve('@segment/actions-core')), file)
const { transform } = require(inside('mapping-kit/index.js'))
const { removeEmptyValues } = require(inside('remove-empty-values.js'))
const { validateSchema } = require(inside('schema-validation.js'))
const { fieldsToJsonSchema } = require(inside('destination-kit/fields-to-jsonschema.js'))

function held(parse, { query, events }) {
  const condition = parse(query)
  if (condition.error) return 'refused'
  return events.map((event) => {
    try {
      return validate(condition, event)
    } catch {
      return 'failed'
    }
  })
}

function mapped({ mapping, events }) {
  // What is wrong with a mapping shows before it is used; an empty event is enough.
  return events.map((event) => {
    try {
      return { made: transform(mapping, event) }
    } catch (error) {
      return { failed: String(error.message) }
    }
  })
}

const schemas = new Map()
function prepared({ name, fields, payloads, batch }) {
  // An action without fields has no schema.
  if (Object.keys(fields).length === 0) return payloads.map((made) => ({ made }))
  if (!schemas.has(name)) schemas.set(name, fieldsToJsonSchema(fields))
  const schema = schemas.get(name)
  return payloads.map((payload) => {
    const made = removeEmptyValues(payload, schema, !batch)
    try {
      validateSchema(made, schema, { schemaKey: name, exempt: ['dynamicAuthSettings'] })
      return { made }
    } catch (error) {
      return { failed: String(error.message) }
    }
  })
}

const ANSWER = {
  trigger: (asked) => ({ theirs: held(parseFql, asked), ours: held(parseOurs, asked) }),
  mapping: mapped,
  payload: prepared
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const asked = JSON.parse(line)
  process.stdout.write(JSON.stringify(ANSWER[asked.ask](asked) ?? null) + '\n')
})
