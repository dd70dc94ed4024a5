import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { JSONWebKeySet } from 'jose'
import { tokenParty } from '../src/verifier.ts'

/** A signing key of the test's own, the set that verifies it, and tokens made with it. */
export async function testKey(kid = 'k1') {
  const { privateKey, publicKey } = await generateKeyPair('EdDSA')
  const keys: JSONWebKeySet = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'EdDSA', use: 'sig' }] }
  /** `claims` replace the good ones; `validForS` may be negative. */
  const token = (claims: Record<string, unknown> = {}, validForS = 900) => {
    const iat = Math.floor(Date.now() / 1000)
    const payload = {
      sub: 'u1',
      sid: 's1',
      role: 'user',
      iss: tokenParty,
      aud: tokenParty,
      iat,
      exp: iat + validForS,
      ...claims,
    }
    return new SignJWT(payload).setProtectedHeader({ alg: 'EdDSA', kid }).sign(privateKey)
  }
  return { keys, token }
}
