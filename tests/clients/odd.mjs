// One track call with the values that JavaScript has and JSON has not, sent by the official Node client.
import { readFileSync } from 'node:fs'
import { Analytics } from '@segment/analytics-node'

const { settings } = JSON.parse(readFileSync(0, 'utf8'))
const analytics = new Analytics(settings)
analytics.on('error', ({ code, reason }) => console.error(code, reason))
const properties = {
  notANumber: NaN,
  endless: Infinity,
  minusZero: -0,
  left: undefined,
  when: new Date('2024-03-01T10:00:00.123Z'),
  half: 'a\ud800b',
  nul: 'a\u0000b',
  whole: 'é 中 😀',
  list: [1, undefined, null],
}
analytics.track({ userId: 'odd-1', event: 'Odd Values', properties }, (error, context) => {
  console.log(JSON.stringify({ index: 0, error: error ? String(error) : null, event: context.event }))
})
await analytics.closeAndFlush({ timeout: 30_000 })
