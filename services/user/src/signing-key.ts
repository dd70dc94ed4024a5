import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomUUID,
} from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Identity, tokenParty } from '@pando/service'
import { calculateJwkThumbprint, exportJWK, type JSONWebKeySet, SignJWT } from 'jose'

const ACCESS_TOKEN_S = 15 * 60

export interface SigningKey {
  /** The public keys, the current one first. */
  readonly jwks: JSONWebKeySet
  /** A secret of the installation for other purposes than signing. */
  readonly secret: string
  /** An access token for 15 minutes. */
  sign(identity: Omit<Identity, 'expiresAt'>): Promise<{ token: string; expiresAt: Date }>
}

/**
 * The installation's Ed25519 key: from `pem`, else from `signing-key.pem` in `dataDir`, made there on the first start (mode 0600). To
 * rotate, rename that file to `signing-key.previous.pem` and restart: tokens of the previous key stay good until they end.
 */
export async function loadSigningKey({
  pem,
  dataDir,
}: {
  pem?: string | undefined
  dataDir: string
}): Promise<SigningKey> {
  const path = join(dataDir, 'signing-key.pem')
  const text = pem ?? (await read(path)) ?? (await create(dataDir, path))
  const current = createPrivateKey(text)
  const previous = pem === undefined ? await read(join(dataDir, 'signing-key.previous.pem')) : undefined
  const keys = await Promise.all(
    [current, ...(previous === undefined ? [] : [createPrivateKey(previous)])].map(publicJwk),
  )
  const kid = keys[0]!.kid!
  return {
    jwks: { keys },
    secret: Buffer.from(hkdfSync('sha256', text, '', 'pando installation', 32)).toString('hex'),
    async sign({ userId, role, sessionId }) {
      const now = Math.floor(Date.now() / 1000)
      const token = await new SignJWT({ sid: sessionId, role })
        .setProtectedHeader({ alg: 'EdDSA', kid })
        .setSubject(userId)
        .setIssuer(tokenParty)
        .setAudience(tokenParty)
        .setIssuedAt(now)
        .setExpirationTime(now + ACCESS_TOKEN_S)
        .sign(current)
      return { token, expiresAt: new Date((now + ACCESS_TOKEN_S) * 1000) }
    },
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return undefined
    throw thrown
  }
}

// Written beside and linked into place: two processes that start at once end with one key, and none reads half of it. Two containers
// on one volume may have the same process id, so that is no name for a draft.
async function create(dataDir: string, path: string): Promise<string> {
  await mkdir(dataDir, { recursive: true })
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${path}.${randomUUID()}`
  await writeFile(draft, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  try {
    await link(draft, path)
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown
  } finally {
    await rm(draft)
  }
  return readFile(path, 'utf8')
}

async function publicJwk(key: KeyObject) {
  const jwk = await exportJWK(createPublicKey(key))
  return { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'EdDSA', use: 'sig' }
}
