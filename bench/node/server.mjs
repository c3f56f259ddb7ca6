// What does a token cost elsewhere? oidc-provider: client credentials, private_key_jwt, DPoP, ES256 access tokens as JWTs.
import { Provider } from 'oidc-provider'

const told = JSON.parse(process.env.PROVIDER_PLAN)
const resource = `${told.issuer}/v1`
const provider = new Provider(told.issuer, {
  clients: [{
    client_id: 'bench',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    dpop_bound_access_tokens: true,
    id_token_signed_response_alg: 'ES256',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    jwks: { keys: [told.client_key] },
  }],
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['ES256'], dPoPSigningAlgValues: ['ES256'] },
  jwks: { keys: [told.issuer_key] },
  scopes: ['nik.verify'],
  ttl: { ClientCredentials: 300 },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({
        scope: 'nik.verify', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
})
provider.listen(told.port, '127.0.0.1')
