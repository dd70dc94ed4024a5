// `npm run choreography`: writes docs/choreography.md from what the services declare, without running any of them. `-- --check` writes
// nothing, and fails when that page is not current. Both fail when the declarations do not fit together.
import { readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { choreographyOf as chat } from '@pando/chat'
import { choreography as customer } from '@pando/customer'
import * as events from '@pando/events'
import { choreographyOf as market } from '@pando/market'
import { choreographyOf as notification } from '@pando/notification'
import { checkChoreography, type Choreography, renderChoreography, type ServiceChoreography } from '@pando/saga'
import { choreography as user } from '@pando/user'
import type { ServiceName } from '../system.ts'

const PAGE = 'docs/choreography.md'

// Nothing runs here that could tell anybody anything.
const silent = { append() {}, close() {}, ring() {}, tell() {} }

const services = {
  user,
  customer,
  chat: chat(silent),
  market: market(() => []),
  notification: notification(silent, silent),
} as const satisfies {
  [Name in ServiceName]: ServiceChoreography & { topic: Name }
}

const INTRODUCTION = `# Choreography

Written by \`npm run choreography\` from what the services declare, and checked against it by the tests. Do not edit it: change
[the events](../packages/events/README.md), or the \`choreography.ts\` of a service.

Nobody commands anybody: each service hears what has happened, does its part, and says so. What a saga is, and what is promised about
events, is in [protocol.md](protocol.md#sagas). An event that no saga waits for has nothing that undoes it; when a reaction to it fails
for good, its key is [parked](protocol.md#parked-keys).

`

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
process.exitCode = main({ events: Object.values(events), services: Object.values(services) }, values.check)

function main(choreography: Choreography, onlyCheck: boolean): number {
  const problems = checkChoreography(choreography)
  for (const problem of problems) console.error(`choreography: ${problem}`)
  if (problems.length > 0) return 1
  const page = INTRODUCTION + renderChoreography(choreography)
  if (!onlyCheck) writeFileSync(PAGE, page)
  else if (page !== read(PAGE)) {
    console.error(`choreography: ${PAGE} is not current: run npm run choreography`)
    return 1
  }
  console.log(`${PAGE} is current: ${choreography.services.length} services, ${choreography.events.length} events`)
  return 0
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
