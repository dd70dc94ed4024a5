// What our command lines have in common.
import { Refusal } from './admin-client.ts'

const DEFAULT_URL = 'http://127.0.0.1:8080'

/** What every help says of `--url`. */
export const URL_HELP = `where Pando answers (default PANDO_URL, else ${DEFAULT_URL})`

/** It was called wrongly: a sentence that says how. */
export class Misuse extends Error {}

/** Runs a command line. A Misuse ends it with exit code 2, a Refusal with 1; both are one sentence on stderr. */
export async function runCommandLine(name: string, main: (args: string[]) => Promise<void>): Promise<void> {
  try {
    await main(process.argv.slice(2))
  } catch (thrown) {
    const isMisuse = thrown instanceof Misuse
    if (!isMisuse && !(thrown instanceof Refusal)) throw thrown
    console.error(isMisuse ? `${thrown.message} See npm run ${name} -- --help` : thrown.message)
    process.exitCode = isMisuse ? 2 : 1
  }
}

/** What parseArgs makes of them; what it refuses is a Misuse. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch (thrown) {
    // Its first sentence.
    throw new Misuse(`${(thrown as Error).message.split(/\.( |$)/)[0]}.`)
  }
}

/** The origin of the Pando that is meant: of `--url`, if it was given. */
export function urlOf(text: string | undefined): string {
  const given = text ?? process.env.PANDO_URL ?? DEFAULT_URL
  const url = URL.canParse(given) ? new URL(given) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw new Misuse(`"${given}" is no http address.`)
  return url.origin
}
