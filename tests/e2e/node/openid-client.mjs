// A client with openid-client, and a resource server with jose, against a running gateway.
import { createRemoteJWKSet, jwtVerify } from 'jose'
import * as oidc from 'openid-client'
import { bothResources, refusal, report, task } from './scenario.mjs'

const authentication = { client_secret_basic: oidc.ClientSecretBasic, client_secret_post: oidc.ClientSecretPost }
const configure = (secret) =>
  oidc.discovery(new URL(task.issuer), task.client_id, undefined, authentication[task.method](secret), {
    algorithm: 'oauth2',
    execute: [oidc.allowInsecureRequests],
  })
const config = await configure(task.client_secret)
const mistaken = await configure('wrong')

async function call(token, method, path) {
  const response = await oidc.fetchProtectedResource(config, token, new URL(path, task.issuer), method)
  return response.json()
}
const keys = createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri))
async function validate(token, audience) {
  const expected = {
    issuer: task.issuer,
    audience,
    typ: 'at+jwt',
    requiredClaims: ['exp', 'sub', 'client_id', 'iat', 'jti'],
  }
  return (await jwtVerify(token, keys, expected)).payload
}

const minted = {
  unscoped: await oidc.clientCredentialsGrant(config),
  scoped: await oidc.clientCredentialsGrant(config, { scope: 'demo:read' }),
  targeted: await oidc.clientCredentialsGrant(config, bothResources),
}
const token = minted.scoped.access_token
const before = {
  called: await call(token, 'GET', '/demo/read'),
  beyond_scope: await refusal(() => call(token, 'POST', '/demo/write')),
  introspected: await oidc.tokenIntrospection(config, token),
}
await oidc.tokenRevocation(config, token)
report({
  metadata: config.serverMetadata(),
  minted,
  claims: await validate(token, task.resources[0]),
  claims_targeted: await validate(minted.targeted.access_token, task.resources[1]),
  misdirected: await refusal(() => validate(token, task.resources[1])),
  before,
  after: {
    called: await refusal(() => call(token, 'GET', '/demo/read')),
    introspected: await oidc.tokenIntrospection(config, token),
  },
  wrong_secret: await refusal(() => oidc.clientCredentialsGrant(mistaken)),
  foreign_scope: await refusal(() => oidc.clientCredentialsGrant(config, { scope: 'demo:admin' })),
  foreign_resource: await refusal(() =>
    oidc.clientCredentialsGrant(config, { resource: 'https://elsewhere.example' }),
  ),
})
