// Performs one action for the events of a delivery: one subscription a call, since one that fails would hide the rest.

const { parseFql, validate } = require('@segment/destination-subscriptions')
const catalogue = require('./catalogue')
const { Refusal, item, thrown } = require('./judge')
const { renewed } = require('./tokens')

const AT_ONCE = 16
// These send nothing but return events, which only come back from events performed one by one.
const RETURNS_EVENTS = new Set(['actions-segment', 'actions-segment-profiles'])
const SKIPPED = { cls: 'skipped', status: 0 }
const NOTHING = () => undefined
const statsClient = { _name: String, _tags: () => [] }
for (const name of ['observe', 'incr', 'set', 'histogram']) statsClient[name] = NOTHING
const logger = { level: 'silent', name: 'headwater', withTags: NOTHING }
for (const level of ['debug', 'info', 'warn', 'error', 'crit', 'log']) logger[level] = NOTHING

function parsed(trigger) {
  const condition = parseFql(trigger)
  if (condition.error) throw new Refusal('INVALID_TRIGGER', `The trigger is not valid: ${condition.error.message}`)
  return condition
}

function settings(frame) {
  const subscription = { partnerAction: frame.action, subscribe: frame.subscribe, mapping: frame.mapping }
  const oauth = frame.oauth && Object.keys(frame.oauth).length > 0 ? { oauth: { ...frame.oauth } } : {}
  return { ...frame.settings, ...oauth, subscriptions: [subscription] }
}

// The core adds to the tags of each call, so nobody may share them.
function options(frame, refreshing) {
  return { features: frame.features ?? {}, statsContext: { statsClient, tags: [] }, logger, ...refreshing }
}

async function single(frame, call, event) {
  const target = catalogue.destination(frame.dest)
  const results = await renewed(frame, call, (refreshing) =>
    target.onEvent(event, settings(frame), options(frame, refreshing))
  )
  const data = results.at(-1)?.data
  return { result: { cls: 'ok', status: call.status || 200 }, batch: Array.isArray(data?.batch) ? data.batch : [] }
}

// One event after the other in a few lanes; each has a result of its own.
async function singles(frame, call, events) {
  const ended = new Array(events.length)
  const left = events.entries()
  const lane = async () => {
    for (const [index, event] of left) {
      ended[index] = await single(frame, call, event).catch((error) => ({ result: thrown(error), batch: [] }))
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, events.length) }, lane))
  const batch = ended.flatMap((each) => each.batch)
  return { results: ended.map((each) => each.result), data: batch.length > 0 ? { batch } : null }
}

async function together(frame, call, events) {
  const target = catalogue.destination(frame.dest)
  const results = await renewed(frame, call, (refreshing) =>
    target.onBatch(events, settings(frame), options(frame, refreshing))
  )
  const reported = results[0]?.multistatus ?? []
  return { results: events.map((_, index) => item(reported[index])), data: null }
}

async function deliver(frame, call) {
  try {
    const action = catalogue.action(frame.dest, frame.action)
    const condition = parsed(frame.subscribe)
    const subscribed = frame.events.filter((event) => validate(condition, event))
    const batched = frame.batch && action.hasBatchSupport && !RETURNS_EVENTS.has(frame.dest)
    if (subscribed.length === 0) return { results: frame.events.map(() => SKIPPED), data: null }
    const { results, data } = await (batched ? together : singles)(frame, call, subscribed)
    if (subscribed.length === frame.events.length) return { results, data }
    const left = results.values()
    return { results: frame.events.map((event) => (validate(condition, event) ? left.next().value : SKIPPED)), data }
  } catch (error) {
    return { error: thrown(error) }
  }
}

module.exports = { deliver, logger, statsClient }
