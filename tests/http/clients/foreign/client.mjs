// Does a certified OpenID client get its answer, told nothing but issuer, client id and key? One JSON object in, one out.
import { readFileSync } from 'node:fs'
import * as client from 'openid-client'

const told = JSON.parse(readFileSync(0, 'utf8'))
const key = await crypto.subtle.importKey(
  'jwk',
  { ...told.jwk, key_ops: ['sign'], ext: true },
  { name: 'ECDSA', namedCurve: 'P-256' },
  false,
  ['sign'],
)
const config = await client.discovery(
  new URL(told.issuer),
  told.client_id,
  { dpop_bound_access_tokens: true },
  client.PrivateKeyJwt({ key, kid: told.jwk.kid }),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] },
)
const DPoP = client.getDPoPHandle(config, await client.randomDPoPKeyPair('ES256'))
const granted = await client.clientCredentialsGrant(config, told.form, { DPoP })
const reply = await client.fetchProtectedResource(
  config,
  granted.access_token,
  new URL('/v1/verifications', told.issuer),
  'POST',
  JSON.stringify(told.question),
  new Headers({ 'content-type': 'application/json' }),
  { DPoP },
)
const answer = await reply.json()
await client.tokenRevocation(config, granted.access_token)
let after = 0
try {
  await client.fetchProtectedResource(
    config, granted.access_token, new URL('/v1/usage', told.issuer), 'GET', undefined, undefined, { DPoP },
  )
} catch (refused) {
  after = refused.status ?? refused.cause?.status ?? -1
}
const details = granted.authorization_details ?? null
console.log(JSON.stringify({ type: granted.token_type, scope: granted.scope, details, status: reply.status, answer, after }))
