// A bucket of an S3-compatible store: PutObject, GetObject and DeleteObject by path, for whoever signs (AWS Signature Version 4).
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { S3Access } from '@pando/service'
import type { Scope } from '../../../test/support/postgres.ts'

export interface S3Server {
  readonly access: S3Access
  readonly objects: Map<string, { data: Buffer; type: string | undefined }>
  /** Answers everything with 503 from now on, or no longer. */
  isDown: boolean
}

export async function startS3(scope: Scope): Promise<S3Server> {
  const objects: S3Server['objects'] = new Map()
  const server = createServer((request, response) => {
    void answer(request).then(({ status, body }) =>
      response.writeHead(status, { 'content-length': body.length }).end(body),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  scope.after(async () => {
    server.close()
    server.closeAllConnections()
  })
  const access = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bucket: 'pando-images',
    region: 'eu-central-1',
    accessKeyId: 'AKIAEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  }
  const s3: S3Server = { access, objects, isDown: false }
  return s3

  async function answer(request: IncomingMessage): Promise<{ status: number; body: Buffer }> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const data = Buffer.concat(chunks)
    if (s3.isDown) return refuse(503, 'SlowDown')
    if (!isSigned(request, data, access)) return refuse(403, 'SignatureDoesNotMatch')
    const path = new URL(request.url!, access.endpoint).pathname
    const home = `/${access.bucket}/`
    if (!path.startsWith(home)) return refuse(404, 'NoSuchBucket')
    const key = path.slice(home.length)
    switch (request.method) {
      case 'PUT':
        objects.set(key, { data, type: request.headers['content-type'] })
        return { status: 200, body: Buffer.alloc(0) }
      case 'GET': {
        const object = objects.get(key)
        return object ? { status: 200, body: object.data } : refuse(404, 'NoSuchKey')
      }
      case 'DELETE':
        objects.delete(key)
        return { status: 204, body: Buffer.alloc(0) }
      default:
        return refuse(405, 'MethodNotAllowed')
    }
  }
}

const refuse = (status: number, code: string) => ({ status, body: Buffer.from(`<Error><Code>${code}</Code></Error>`) })

const sha256 = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex')
const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/
const MINUTES_15 = 900_000

/** By "Create a signed AWS API request" of the IAM user guide: the request is built anew and signed with the secret key. */
function isSigned({ method, url, headers }: IncomingMessage, body: Buffer, access: S3Access): boolean {
  const match = AUTHORIZATION.exec(headers.authorization ?? '')
  if (!match) return false
  const [, id, day, region, names, signature] = match as unknown as string[]
  const time = String(headers['x-amz-date'])
  const at = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  if (!(Math.abs(Date.now() - at) < MINUTES_15) || !time.startsWith(day!)) return false
  if (id !== access.accessKeyId || region !== access.region) return false
  const signed = names!.split(';')
  const amazons = Object.keys(headers).filter((name) => name.startsWith('x-amz-'))
  if (!['host', ...amazons].every((name) => signed.includes(name))) return false
  const payload = String(headers['x-amz-content-sha256'])
  if (payload !== 'UNSIGNED-PAYLOAD' && payload !== sha256(body)) return false
  const { pathname, searchParams } = new URL(url!, access.endpoint)
  const query = [...searchParams].map((pair) => pair.map(encodeURIComponent).join('=')).toSorted()
  const canonical = [
    method,
    pathname,
    query.join('&'),
    ...signed.map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    payload,
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const key = [region!, 's3', 'aws4_request'].reduce(hmac, hmac(`AWS4${access.secretAccessKey}`, day!))
  const expected = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n'))
  return timingSafeEqual(expected, Buffer.from(signature!, 'hex'))
}
