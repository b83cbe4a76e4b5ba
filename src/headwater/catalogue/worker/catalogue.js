// The destinations by slug, each made when it is first asked for.

const { Destination } = require('@segment/actions-core')
const { registered, version } = require('./destinations')
const { Refusal } = require('./judge')

const made = new Map()

function definition(slug) {
  if (!Object.hasOwn(registered, slug)) {
    throw new Refusal('UNKNOWN_DESTINATION', `There is no destination ${slug} in the catalogue.`)
  }
  return registered[slug].load()
}

function destination(slug) {
  let found = made.get(slug)
  if (!found) {
    found = new Destination(definition(slug))
    // It would keep every response for ever.
    found.responses.push = () => 0
    made.set(slug, found)
  }
  return found
}

function action(slug, name) {
  const { actions } = destination(slug)
  if (!Object.hasOwn(actions, name)) throw new Refusal('UNKNOWN_ACTION', `${slug} has no action ${name}.`)
  return actions[name]
}

module.exports = { action, definition, destination, registered, version }
