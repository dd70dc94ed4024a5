// Fills a running Pando with people, posts and talks to try it with: `npm run demo`. It only uses what every client may use. Run again, it
// finds what is there and adds what is missing.
import { parseArgs } from 'node:util'
import { Misuse, parsed, runCommandLine, URL_HELP, urlOf } from './command-line.ts'
import { createClient } from './demo/client.ts'
import { addPosts, addWishes, closePosts } from './demo/market.ts'
import { addFriends, addKeywords, joinAll, type Member, PASSWORD } from './demo/members.ts'
import { PEOPLE } from './demo/people.ts'
import { POSTS_AT_MOST } from './demo/posts.ts'
import { createProgress } from './demo/progress.ts'
import { openDirects, openGroups, openTrades, talk } from './demo/rooms.ts'

// Groups and talks need some.
const USERS_AT_LEAST = 3

const HELP = `Usage: npm run demo -- [options]

Fills a running Pando with people, posts and talks to try it with. Run again, it adds only what is missing.

Options:
  --users N        how many people, ${USERS_AT_LEAST} to ${PEOPLE.length} (default ${PEOPLE.length})
  --posts N        how many posts, 1 to ${POSTS_AT_MOST} (default ${POSTS_AT_MOST})
  --url URL        ${URL_HELP}
  --help           this

Other numbers make another set of posts and talks. Everybody's password is the same, and printed: for a Pando that only you can reach.
Exit code 0: done; 1: refused or failed; 2: called wrongly.
`

await runCommandLine('demo', async (args) => {
  const { values } = parsed(() =>
    parseArgs({
      args,
      options: {
        users: { type: 'string', default: String(PEOPLE.length) },
        posts: { type: 'string', default: String(POSTS_AT_MOST) },
        url: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }),
  )
  if (values.help) return void process.stdout.write(HELP)
  const users = wholeNumber('users', values.users, USERS_AT_LEAST, PEOPLE.length)
  const posts = wholeNumber('posts', values.posts, 1, POSTS_AT_MOST)
  const url = urlOf(values.url)
  const members = await fill(url, users, posts)
  const some = members.slice(0, 3).map(({ username, displayName }) => `  ${username} (${displayName})\n`)
  process.stdout.write(`\nLog in at ${url} with the password ${PASSWORD} as\n${some.join('')}`)
})

async function fill(url: string, users: number, count: number): Promise<Member[]> {
  const progress = createProgress(process.stdout)
  const ask = createClient(url, { onWait: progress.waits })
  const members = await joinAll(ask, progress, users)
  // Before the posts, which are told of to those who wait for them.
  await addKeywords(ask, progress, members)
  await addFriends(ask, progress, members)
  const posts = await addPosts(ask, progress, members, count)
  await addWishes(ask, progress, members, posts)
  const directs = await openDirects(ask, progress, members)
  const groups = await openGroups(ask, progress, members)
  const { talks, firstOf } = await openTrades(ask, progress, members, posts)
  await talk(ask, progress, [...directs, ...groups, ...talks])
  // After the rooms, which only open posts get.
  await closePosts(ask, progress, posts, firstOf)
  return members
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  if (number >= least && number <= most) return number
  throw new Misuse(`--${name} must be a whole number from ${least} to ${most}, not "${text}".`)
}
