// What Headwater asks of a destination beside deliveries: credentials, choices for fields, audiences, deletion, hooks.

const { defaultValues } = require('@segment/actions-core')
const catalogue = require('./catalogue')
const { logger, statsClient } = require('./deliver')
const { Refusal, thrown } = require('./judge')
const { describe } = require('./manifest')
const { refreshing, renewed } = require('./tokens')

const context = () => ({ logger, statsContext: { statsClient, tags: [] } })

function auth({ oauth = {} }) {
  return { accessToken: oauth.access_token, refreshToken: oauth.refresh_token }
}

function settings(args) {
  return args.oauth && Object.keys(args.oauth).length > 0 ? { ...args.settings, oauth: { ...args.oauth } } : args.settings
}

// What a dynamic field or a hook of an action is given.
function bundle(args) {
  const { payload = {}, page, hookInputs, audienceSettings, features = {} } = args
  return { settings: args.settings, payload, page, hookInputs, audienceSettings, features, auth: auth(args), ...context() }
}

function dynamicField(args) {
  const action = catalogue.action(args.dest, args.action)
  const field = action.definition.hooks?.[args.hook]?.inputFields?.[args.field]
  const dynamic = typeof field?.dynamic === 'function' ? field.dynamic : undefined
  return action.executeDynamicField(args.field, bundle(args), dynamic)
}

function hook(args) {
  return catalogue.action(args.dest, args.action).executeHook(args.hook, bundle(args))
}

function audience(method) {
  return (args) => {
    const { audienceName, audienceSettings, externalId } = args
    const input = { settings: settings(args), audienceName, audienceSettings, externalId, ...context() }
    return catalogue.destination(args.dest)[method](input)
  }
}

async function onDelete(args, call) {
  const target = catalogue.destination(args.dest)
  if (!target.onDelete) throw new Refusal('NOT_IMPLEMENTED', `${args.dest} deletes nobody.`, 501)
  await target.onDelete(args.event, settings(args), { ...context(), ...refreshing(args, call) })
}

async function refresh(args) {
  const target = catalogue.destination(args.dest)
  const { clientId, clientSecret } = args.oauth ?? {}
  const tokens = await target.refreshAccessToken(args.settings, { ...auth(args), clientId, clientSecret })
  if (!tokens) throw new Refusal('NOT_IMPLEMENTED', `${args.dest} cannot refresh its tokens.`, 501)
  return { access_token: tokens.accessToken, ...(tokens.refreshToken ? { refresh_token: tokens.refreshToken } : {}) }
}

const METHODS = {
  testAuth: (args) => catalogue.destination(args.dest).testAuthentication(settings(args)),
  defaults: (args) => defaultValues(catalogue.action(args.dest, args.action).definition.fields),
  dynamicField,
  hook,
  createAudience: audience('createAudience'),
  getAudience: audience('getAudience'),
  onDelete,
  refresh,
  manifest: (args) => describe(args.dest)
}

async function ask(frame, call) {
  try {
    if (!Object.hasOwn(METHODS, frame.m)) throw new Refusal('UNKNOWN_METHOD', `The worker has no method ${frame.m}.`)
    const work = () => METHODS[frame.m](frame.args, call)
    return { data: (await renewed(frame.args, work)) ?? null }
  } catch (error) {
    return { error: thrown(error) }
  }
}

module.exports = { ask }
