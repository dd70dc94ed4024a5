// The images of the market by themselves: their routes on a port, their tables in a database, their files in a folder.
import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Database, transaction } from '@pando/saga'
import { authentication, createApp, createLog, createVerifier, Problem, tokenParty } from '@pando/service'
import { attachImages } from '../src/image.ts'
import { type ImageRouteOptions, imageRoutes } from '../src/image-routes.ts'
import { createImages, type Images, type ImagesOptions } from '../src/images.ts'
import { openMarket } from './market.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'EdDSA', use: 'sig' }] }

/** An access token as the user service signs it. */
function tokenOf(userId: string): string {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    sub: userId,
    sid: randomUUID(),
    role: 'user',
    iss: tokenParty,
    aud: tokenParty,
    iat: now,
    exp: now + 900,
  }
  const text = [{ alg: 'EdDSA', kid: 'k' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  return `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`
}

export interface Answer {
  status: number
  headers: Headers
  data: Buffer
  body: Record<string, unknown>
}

export interface User {
  id: string
  token: string
  /** Sends files, by default as `file`; another shape by a form or a body of one's own. */
  upload(file: Buffer | FormData, name?: string): Promise<Answer>
  /** Uploads an image that is accepted, and returns its id. */
  image(file: Buffer): Promise<string>
  get(path: string, headers?: Record<string, string>): Promise<Answer>
}

export interface ImageServer {
  url: string
  db: Database
  folder: string
  images: Images
  logged: string[]
  nobody: Omit<User, 'image'>
  user(): User
  /** Everything there is: files, drafts among them, by their paths in the folder of images; and rows. */
  left(): Promise<{ files: string[]; rows: number }>
}

export async function startImages(
  t: TestContext,
  options: Partial<Pick<ImagesOptions, 'store' | 'processor'>> &
    Partial<Pick<ImageRouteOptions, 'places'>> & { s3?: ImagesOptions['config']['s3']; dataDir?: string } = {},
): Promise<ImageServer> {
  const { s3, places, dataDir = await mkdtemp(join(tmpdir(), 'pando-test-')), ...parts } = options
  const db = await openMarket(t)
  const logged: string[] = []
  const log = createLog({ level: 'debug', name: 'test' }, { write: (line) => void logged.push(line) })
  const images = createImages({ db, config: { dataDir, s3 }, onError: (err) => log.warn({ err }, 'images'), ...parts })
  const app = await createApp({ log, info: { title: 'Test', version: '1' } })
  const verifier = createVerifier({ keys })
  await app.register(authentication, { verifier, origins: { allows: () => false, secure: false } })
  await app.register(imageRoutes, { images, ...(places && { places }) })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  t.after(async () => {
    app.server.closeAllConnections()
    await app.close()
    await images.stop()
    if (options.dataDir === undefined) await rm(dataDir, { recursive: true })
  })
  const folder = join(dataDir, 'images')

  async function ask(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(new URL(path, url), { ...init, signal: AbortSignal.timeout(100_000) })
    const data = Buffer.from(await response.arrayBuffer())
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const body = (isJson ? JSON.parse(String(data)) : {}) as Record<string, unknown>
    return { status: response.status, headers: response.headers, data, body }
  }
  const caller = (authorization: Record<string, string>) => ({
    upload: (file: Buffer | FormData, name?: string) =>
      ask('/api/images', {
        method: 'POST',
        headers: authorization,
        body: file instanceof FormData ? file : formOf({ file: [file, name] }),
      }),
    get: (path: string, headers = {}) => ask(path, { headers: { ...authorization, ...headers } }),
  })

  return {
    url,
    db,
    folder,
    images,
    logged,
    nobody: { id: '', token: '', ...caller({}) },
    user() {
      const id = randomUUID()
      const token = tokenOf(id)
      const calls = caller({ authorization: `Bearer ${token}` })
      return {
        id,
        token,
        ...calls,
        async image(file) {
          const { status, body } = await calls.upload(file)
          assert.equal(status, 201, JSON.stringify(body))
          return body.id as string
        },
      }
    },
    async left() {
      const files = globSync('**/*', { cwd: folder, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      const [{ rows } = { rows: 0 }] = await db.query<{ rows: number }>(
        'select count(*)::int as rows from market.image',
      )
      return { files: files.toSorted(), rows }
    },
  }
}

export const NOTHING = { files: [], rows: 0 }

/** A form with these files and texts. */
export function formOf(fields: Record<string, [file: Buffer, name?: string | undefined] | string>): FormData {
  const form = new FormData()
  for (const [field, value] of Object.entries(fields)) {
    if (typeof value === 'string') form.append(field, value)
    else form.append(field, new Blob([new Uint8Array(value[0])], { type: 'image/jpeg' }), value[1] ?? 'plant.jpg')
  }
  return form
}

/** Asserts that an answer is this problem, and returns its body. */
export function assertProblem({ status, headers, body, data }: Answer, expected: number, code: string): Answer['body'] {
  assert.equal(status, expected, String(data))
  assert.match(headers.get('content-type') ?? '', /^application\/problem\+json/)
  assert.equal(body.code, code)
  return body
}

/** Gives images to a post. */
export const attach = (db: Database, ownerId: string, imageIds: readonly string[], postId: string) =>
  transaction(db, (tx) => attachImages(tx, ownerId, imageIds, postId))

/** Makes all images so much older. */
export const age = (db: Database, interval: string) =>
  db.query('update market.image set created_at = created_at - $1::interval', [interval])

/** The places that are named as wrong, each with what is wrong. */
export async function faults(work: Promise<unknown>): Promise<Record<string, string>> {
  const thrown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  assert.ok(thrown instanceof Problem && thrown.code === 'validation_failed', String(thrown))
  return Object.fromEntries(thrown.errors!.map(({ path, message }) => [path, message]))
}
