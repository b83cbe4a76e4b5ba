// Describes destinations as data: what of their definitions is not code.

const { mkdirSync, readFileSync, writeFileSync } = require('node:fs')
const path = require('node:path')
const catalogue = require('./catalogue')

const AUDIENCE = ['createAudience', 'getAudience']

function field([key, { properties, dynamic, ...said }]) {
  const described = { key, ...said }
  if (dynamic) described.dynamic = true
  if (properties) described.properties = Object.entries(properties).map(field)
  return described
}

function fields(declared) {
  return Object.entries(declared ?? {}).map(field)
}

// The paths of fields whose choices are asked for, such as `list_id` or `traits.__keys__`.
function dynamic(declared, below = '') {
  return Object.entries(declared ?? {}).flatMap(([key, value]) =>
    typeof value === 'function' ? [below + key] : dynamic(value, `${below}${key}.`)
  )
}

function hook([slug, { label, description, inputFields, outputTypes }]) {
  return { slug, label, description, fields: fields(inputFields), outputs: outputTypes ?? {} }
}

function action([slug, declared]) {
  const { title, description, defaultSubscription, hidden, platform, syncMode } = declared
  return {
    slug,
    name: title,
    description,
    trigger: defaultSubscription ?? '',
    hidden: hidden === true,
    platform: platform ?? 'cloud',
    batches: typeof declared.performBatch === 'function',
    syncMode: syncMode ?? {},
    hooks: Object.entries(declared.hooks ?? {}).map(hook),
    dynamic: dynamic(declared.dynamicFields),
    fields: fields(declared.fields)
  }
}

function preset({ name, partnerAction, subscribe, mapping, type, eventSlug }) {
  const event = eventSlug ? { event: eventSlug } : {}
  return { name, action: partnerAction, trigger: subscribe ?? '', mapping: mapping ?? {}, kind: type, ...event }
}

function audience({ audienceConfig, audienceFields }) {
  if (!audienceConfig) return {}
  const creates = AUDIENCE.every((method) => typeof audienceConfig[method] === 'function')
  return { mode: audienceConfig.mode, creates, fields: fields(audienceFields) }
}

function describe(slug) {
  const declared = catalogue.definition(slug)
  const { authentication } = declared
  return {
    slug,
    id: catalogue.registered[slug].id,
    name: declared.name,
    description: declared.description ?? '',
    authentication: authentication?.scheme ?? 'none',
    tests: typeof authentication?.testAuthentication === 'function',
    refreshes: typeof authentication?.refreshAccessToken === 'function',
    deletes: typeof declared.onDelete === 'function',
    fields: fields(authentication?.fields),
    audience: audience(declared),
    presets: (declared.presets ?? []).map(preset),
    actions: Object.entries(declared.actions).map(action)
  }
}

// A line of the list: all that is shown of a destination before it is opened.
function summary({ slug, name, description, authentication, actions, presets, fields, audience }, direct) {
  const counts = { actions: actions.length, presets: presets.length, fields: fields.length }
  const titles = actions.filter((each) => !each.hidden).map((each) => each.name)
  return { slug, name, description, authentication, direct, audience: Boolean(audience.mode), titles, ...counts }
}

function write(folder) {
  const { version, direct } = JSON.parse(readFileSync(path.join(folder, 'build.json'), 'utf8'))
  mkdirSync(path.join(folder, 'destinations'), { recursive: true })
  const summaries = Object.keys(catalogue.registered).map((slug) => {
    const described = { ...describe(slug), direct: direct.includes(slug) }
    writeFileSync(path.join(folder, 'destinations', `${slug}.json`), JSON.stringify(described))
    return summary(described, described.direct)
  })
  summaries.sort((one, other) => (one.slug < other.slug ? -1 : 1))
  writeFileSync(path.join(folder, 'index.json'), JSON.stringify({ version, destinations: summaries }))
}

module.exports = { describe, write }
