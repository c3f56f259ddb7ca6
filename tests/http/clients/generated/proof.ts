// A fetch that adds what no generator knows of: the token and a new DPoP proof (RFC 9449) for every call.
import { createHash, createPrivateKey, randomUUID, sign, type JsonWebKey } from 'node:crypto'

export interface Told {
  issuer: string
  token: string
  jwk: JsonWebKey
  question: { nik: string; purpose: string; claims: Record<string, string> }
}

const b64u = (data: string | Buffer) => Buffer.from(data).toString('base64url')

export function proving(told: Told): (request: Request) => Promise<Response> {
  const { d: _, ...jwk } = told.jwk
  const key = createPrivateKey({ key: told.jwk, format: 'jwk' })
  return (request) => {
    const head = { typ: 'dpop+jwt', alg: 'ES256', jwk }
    const ath = createHash('sha256').update(told.token).digest('base64url')
    const claims = { jti: randomUUID(), htm: request.method, htu: request.url, iat: Math.floor(Date.now() / 1000), ath }
    const signed = `${b64u(JSON.stringify(head))}.${b64u(JSON.stringify(claims))}`
    const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' })
    request.headers.set('Authorization', `DPoP ${told.token}`)
    request.headers.set('DPoP', `${signed}.${b64u(signature)}`)
    return fetch(request)
  }
}
