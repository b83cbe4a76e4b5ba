// Refreshing of OAuth tokens: one call of a connection at a time, and the others take what that one got.

const wire = require('./wire')

// Thrown through the core where it would refresh tokens that somebody else has refreshed already.
class Renewed extends Error {
  constructor(tokens) {
    super('The tokens were refreshed meanwhile.')
    this.name = 'Renewed'
    this.tokens = tokens
  }
}

// What the core asks for on its way to new tokens. Headwater answers `lock` with the tokens as they now stand.
function refreshing(frame, call) {
  return {
    synchronizeRefreshAccessToken: async () => {
      call.refreshing = true
      const { tokens } = await wire.ask({ t: 'lock', d: call.id }).answer
      if (tokens.access_token && tokens.access_token !== frame.oauth?.access_token) {
        call.refreshing = false
        throw new Renewed(tokens)
      }
    },
    onTokenRefresh: async ({ accessToken, refreshToken }) => {
      const tokens = { access_token: accessToken, ...(refreshToken ? { refresh_token: refreshToken } : {}) }
      frame.oauth = { ...frame.oauth, ...tokens }
      await wire.ask({ t: 'token', d: call.id, tokens }).answer
      call.refreshing = false
    }
  }
}

// Does the work, and once more if tokens turn out to be refreshed already.
async function renewed(frame, work) {
  const held = frame.oauth?.access_token
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Renewed)) throw error
    if (frame.oauth?.access_token === held) frame.oauth = { ...frame.oauth, ...error.tokens }
    return work()
  }
}

module.exports = { Renewed, refreshing, renewed }
