// What Headwater asks of a destination beside deliveries: credentials, choices for fields, audiences, deletion, hooks.

const { defaultValues } = require('@segment/actions-core')
const catalogue = require('./catalogue')
const { logger, statsClient } = require('./deliver')
const { Refusal, thrown } = require('./judge')
const { describe } = require('./manifest')
const { renewed } = require('./tokens')

const context = () => ({ logger, statsContext: { statsClient, tags: [] } })

function auth({ oauth = {} }) {
  return { accessToken: oauth.access_token, refreshToken: oauth.refresh_token }
}

function settings(args) {
  const held = args.oauth && Object.keys(args.oauth).length > 0
  return held ? { ...args.settings, oauth: { ...args.oauth } } : args.settings
}

// What a dynamic field or a hook of an action is given.
function bundle(args) {
  const { settings, payload = {}, page, hookInputs, audienceSettings, features = {} } = args
  return { settings, payload, page, hookInputs, audienceSettings, features, auth: auth(args), ...context() }
}

// Runs what the core does not refresh tokens for; if they are refused, once more with new ones.
async function withNewTokens(args, refreshing, work) {
  const target = catalogue.destination(args.dest)
  if (!args.oauth?.refresh_token || !target.authentication?.refreshAccessToken) return work()
  try {
    const answer = await work()
    if (Number(answer?.error?.code) !== 401) return answer
  } catch (error) {
    const refused = Number(error?.status ?? error?.response?.status) === 401
    if (!refused && !/^Credentials are invalid: 401 /.test(error?.message)) throw error
  }
  await target.handleAuthError(settings(args), refreshing)
  return work()
}

// The core tells a refusal of credentials, and any other failure, only by its text.
async function testAuth(args, refreshing) {
  const target = catalogue.destination(args.dest)
  try {
    await withNewTokens(args, refreshing, () => target.testAuthentication(settings(args)))
  } catch (error) {
    const [, status] = /^Credentials are invalid: (\d*) /.exec(error?.message) ?? []
    if (status === undefined) throw error
    throw new Refusal('INVALID_AUTHENTICATION', error.message, Number(status) >= 429 ? Number(status) : 401)
  }
}

function dynamicField(args, refreshing) {
  const action = catalogue.action(args.dest, args.action)
  const field = action.definition.hooks?.[args.hook]?.inputFields?.[args.field]
  const dynamic = typeof field?.dynamic === 'function' ? field.dynamic : undefined
  return withNewTokens(args, refreshing, () => action.executeDynamicField(args.field, bundle(args), dynamic))
}

function hook(args, refreshing) {
  const action = catalogue.action(args.dest, args.action)
  return withNewTokens(args, refreshing, () => action.executeHook(args.hook, bundle(args)))
}

// The core would keep the tokens that it refreshes here to itself.
function audience(method) {
  return (args, refreshing) => {
    const target = catalogue.destination(args.dest)
    const telling = Object.create(target)
    telling.handleError = (error, held) => target.handleError(error, held, refreshing)
    const { audienceName, audienceSettings, externalId } = args
    return telling[method]({ settings: settings(args), audienceName, audienceSettings, externalId, ...context() })
  }
}

async function onDelete(args, refreshing) {
  const target = catalogue.destination(args.dest)
  if (!target.onDelete) throw new Refusal('NOT_IMPLEMENTED', `${args.dest} deletes nobody.`, 501)
  await target.onDelete(args.event, settings(args), { ...context(), ...refreshing })
}

async function refresh(args) {
  const target = catalogue.destination(args.dest)
  const { clientId, clientSecret } = args.oauth ?? {}
  const tokens = await target.refreshAccessToken(args.settings, { ...auth(args), clientId, clientSecret })
  if (!tokens) throw new Refusal('NOT_IMPLEMENTED', `${args.dest} cannot refresh its tokens.`, 501)
  return { access_token: tokens.accessToken, ...(tokens.refreshToken ? { refresh_token: tokens.refreshToken } : {}) }
}

const METHODS = {
  testAuth,
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
    const work = (refreshing) => METHODS[frame.m](frame.args, refreshing)
    return { data: (await renewed(frame.args, call, work)) ?? null }
  } catch (error) {
    return { error: thrown(error) }
  }
}

module.exports = { ask }
