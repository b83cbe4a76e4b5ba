// Refreshing of OAuth tokens: one call of a connection at a time, and the others take what that one got.

const wire = require('./wire')

// Thrown through the core where it would refresh tokens that somebody else has refreshed already.
class Renewed extends Error {
  name = 'Renewed'
}

// Thrown in place of what went wrong while tokens were refreshed.
class NotRefreshed extends Error {
  name = 'NotRefreshed'
}

// What the core asks for on its way to new tokens, for a run that began with the token `held`. Events of one call take
// turns here, calls of one connection in Headwater, which answers `lock` with the tokens as they now stand.
function refreshing(args, call, held) {
  const run = { began: false, done: () => {} }
  run.options = {
    synchronizeRefreshAccessToken: async () => {
      while (call.turn) await call.turn
      if (args.oauth?.access_token !== held) throw new Renewed()
      call.turn = new Promise((resolve) => {
        run.done = () => {
          run.began = false
          call.turn = null
          resolve()
        }
      })
      run.began = true
      const { tokens } = await wire.ask({ t: 'lock', d: call.id }).answer
      if (tokens.access_token && tokens.access_token !== held) {
        args.oauth = { ...args.oauth, ...tokens }
        run.done()
        throw new Renewed()
      }
    },
    onTokenRefresh: async ({ accessToken, refreshToken }) => {
      const tokens = { access_token: accessToken, ...(refreshToken ? { refresh_token: refreshToken } : {}) }
      args.oauth = { ...args.oauth, ...tokens }
      await wire.ask({ t: 'token', d: call.id, tokens }).answer
      run.done()
    }
  }
  return run
}

async function once(args, call, work) {
  const run = refreshing(args, call, args.oauth?.access_token)
  try {
    return await work(run.options)
  } catch (error) {
    if (run.began) throw new NotRefreshed('The tokens could not be refreshed.', { cause: error })
    throw error
  } finally {
    run.done()
  }
}

// Does the work with what the core needs to refresh tokens, and once more if they turn out to be refreshed already.
async function renewed(args, call, work) {
  try {
    return await once(args, call, work)
  } catch (error) {
    if (error instanceof Renewed) return once(args, call, work)
    throw error
  }
}

module.exports = { NotRefreshed, renewed }
