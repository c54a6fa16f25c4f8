// A client and a resource server with oauth4webapi, against a running gateway.
import * as oauth from 'oauth4webapi'
import { bothResources, refusal, report, task } from './scenario.mjs'

const http = { [oauth.allowInsecureRequests]: true }
const client = { client_id: task.client_id }
const authentication = { client_secret_basic: oauth.ClientSecretBasic, client_secret_post: oauth.ClientSecretPost }
const authenticated = authentication[task.method](task.client_secret)

const issuer = new URL(task.issuer)
const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
const as = await oauth.processDiscoveryResponse(issuer, discovered)

async function mint(parameters, by = authenticated) {
  const response = await oauth.clientCredentialsGrantRequest(as, client, by, parameters, http)
  return oauth.processClientCredentialsResponse(as, client, response)
}
async function introspect(token) {
  const response = await oauth.introspectionRequest(as, client, authenticated, token, http)
  return oauth.processIntrospectionResponse(as, client, response)
}
async function call(token, method, path) {
  const url = new URL(path, issuer)
  const response = await oauth.protectedResourceRequest(token, method, url, undefined, undefined, http)
  return response.json()
}
const validate = (token, audience) =>
  oauth.validateJwtAccessToken(
    as,
    new Request(issuer, { headers: { authorization: `Bearer ${token}` } }),
    audience,
    http,
  )

const minted = {
  unscoped: await mint({}),
  scoped: await mint({ scope: 'demo:read' }),
  targeted: await mint(bothResources),
}
const token = minted.scoped.access_token
const before = {
  called: await call(token, 'GET', '/demo/read'),
  beyond_scope: await refusal(() => call(token, 'POST', '/demo/write')),
  introspected: await introspect(token),
}
await oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, authenticated, token, http),
)
report({
  metadata: as,
  minted,
  claims: await validate(token, task.resources[0]),
  claims_targeted: await validate(minted.targeted.access_token, task.resources[1]),
  misdirected: await refusal(() => validate(token, task.resources[1])),
  before,
  after: {
    called: await refusal(() => call(token, 'GET', '/demo/read')),
    introspected: await introspect(token),
  },
  wrong_secret: await refusal(() => mint({}, authentication[task.method]('wrong'))),
  foreign_scope: await refusal(() => mint({ scope: 'demo:admin' })),
  foreign_resource: await refusal(() => mint({ resource: 'https://elsewhere.example' })),
})
