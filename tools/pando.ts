// The operator's command line: `npm run pando -- parked`. It speaks to a running Pando through the admin routes.
import { parseArgs } from 'node:util'
import { createAdminClient, type Credentials } from './admin-client.ts'
import { Misuse, parsed, runCommandLine, URL_HELP, urlOf } from './command-line.ts'
import { type Command, commands, type Values } from './pando-commands.ts'
import { table } from './table.ts'

const COMMON = { url: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

await runCommandLine('pando', main)

async function main([name = '', ...rest]: string[]): Promise<void> {
  if (name === '--help' || name === '-h' || name === 'help') return say(helpOf())
  const command = Object.hasOwn(commands, name) ? commands[name]! : undefined
  if (!command) throw new Misuse(name === '' ? 'A command is missing.' : `There is no command "${name}".`)
  const { positionals, values } = parse(command, rest)
  if (values.help) return say(helpOf(name))
  if (positionals.length !== command.positionals.length)
    throw new Misuse(`Say ${[name, ...command.positionals].join(' ')}.`)
  if (command.options.reason && !values.reason?.trim())
    throw new Misuse('--reason is missing: it is kept with the events.')

  const client = await createAdminClient(urlOf(values.url), credentials())
  try {
    const { json, text, note } = await command.run(client, positionals, values)
    if (!values.json) say(`${text}\n`)
    else if (json !== undefined) say(`${JSON.stringify(json, null, 2)}\n`)
    if (note !== undefined) console.error(note)
  } finally {
    await client.close()
  }
}

function parse(command: Command, args: string[]): { positionals: string[]; values: Values } {
  return parsed(() => parseArgs({ args, options: { ...COMMON, ...command.options }, allowPositionals: true }))
}

function credentials(): Credentials {
  const { PANDO_TOKEN, ADMIN_USERNAME, ADMIN_PASSWORD } = process.env
  if (PANDO_TOKEN) return { token: PANDO_TOKEN }
  if (ADMIN_USERNAME && ADMIN_PASSWORD) return { username: ADMIN_USERNAME, password: ADMIN_PASSWORD }
  throw new Misuse('Nobody is named: set PANDO_TOKEN, or ADMIN_USERNAME and ADMIN_PASSWORD.')
}

function say(text: string): void {
  process.stdout.write(text)
}

function helpOf(name?: string): string {
  const command = name === undefined ? undefined : commands[name]
  const usage = command ? [name, ...command.positionals].join(' ') : 'COMMAND'
  const list = Object.entries(commands).map(([known, one]) => [
    `  ${[known, ...one.positionals].join(' ')}`,
    one.summary,
  ])
  return `Usage: npm run pando -- ${usage} [options]

${command ? `${command.summary}.` : table(['Commands:', ''], list)}

Options:
${command?.details ?? ''}  --url URL        ${URL_HELP}
  --json           what the API says, for machines; with "npm run -s" nothing else is on stdout
  --help           this; behind a command, its own

PANDO_TOKEN, or ADMIN_USERNAME and ADMIN_PASSWORD, say who asks. Exit code 0: done; 1: refused or failed; 2: called wrongly.
`
}
