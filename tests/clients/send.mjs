// Makes the calls of a plan with the official Node client and prints what became of each, one JSON object a line.
// The plan is read from standard input: {"settings": what the client is made with, "calls": [{"type": ..., ...}]}.
// A call of the type "flush" waits until everything before it is delivered.
import { readFileSync } from 'node:fs'
import { Analytics } from '@segment/analytics-node'

const { settings, calls } = JSON.parse(readFileSync(0, 'utf8'))
const analytics = new Analytics(settings)
analytics.on('error', ({ code, reason }) => console.error(code, reason))
for (const [index, { type, ...fields }] of calls.entries()) {
  if (type === 'flush') {
    await analytics.flush({ timeout: 30_000 })
    continue
  }
  analytics[type](fields, (error, context) => {
    console.log(JSON.stringify({ index, error: error ? String(error) : null, event: context.event }))
  })
}
await analytics.closeAndFlush({ timeout: 30_000 })
