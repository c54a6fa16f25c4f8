// A client of oauth4webapi whose tokens are bound to its key (RFC 9449), against a gateway that asks for nonces.
import * as oauth from 'oauth4webapi'
import { refusal, report, task } from './scenario.mjs'

const http = { [oauth.allowInsecureRequests]: true }
const client = { client_id: task.client_id }
const authenticated = oauth.ClientSecretBasic(task.client_secret)
const issuer = new URL(task.issuer)
const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
const as = await oauth.processDiscoveryResponse(issuer, discovered)

const challenged = []
async function withNonce(where, attempt) {
  try {
    return await attempt()
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error
    challenged.push(where)
    return attempt()
  }
}

function mint(DPoP, endpoint = as) {
  return withNonce('mint', async () => {
    const response = await oauth.clientCredentialsGrantRequest(endpoint, client, authenticated, {}, { DPoP, ...http })
    return oauth.processClientCredentialsResponse(endpoint, client, response)
  })
}
function call(DPoP, token, method, path) {
  return withNonce('call', async () => {
    const options = { DPoP, ...http }
    const response = await oauth.protectedResourceRequest(token, method, new URL(path, issuer), undefined, undefined, options)
    return { nonce: response.headers.get('dpop-nonce'), ...(await response.json()) }
  })
}
async function introspect(token) {
  const response = await oauth.introspectionRequest(as, client, authenticated, token, http)
  return oauth.processIntrospectionResponse(as, client, response)
}

const outcome = {}
for (const alg of ['ES256', 'Ed25519', 'PS256', 'RS256']) {
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(alg))
  const minted = await mint(DPoP)
  outcome[alg] = {
    jkt: await DPoP.calculateThumbprint(),
    minted,
    read: await call(DPoP, minted.access_token, 'GET', '/demo/read?page=2#top'),
    written: await call(DPoP, minted.access_token, 'POST', '/demo/write'),
    routed: await call(DPoP, minted.access_token, 'GET', '/demo/routed/a%20b/%7Euser/../c?x'),
    introspected: await introspect(minted.access_token),
  }
}
const mine = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
const thiefs = oauth.DPoP(client, await oauth.generateKeyPair('ES256'))
const once = await mint(mine, { ...as, token_endpoint: `${task.issuer}/ott` })
report({
  algs: as.dpop_signing_alg_values_supported,
  challenged,
  outcome,
  once: {
    minted: once,
    stolen: await refusal(() => call(thiefs, once.access_token, 'GET', '/demo/read')),
    plain: await refusal(() => call(undefined, once.access_token, 'GET', '/demo/read')),
    called: await call(mine, once.access_token, 'GET', '/demo/read'),
    again: await refusal(() => call(mine, once.access_token, 'GET', '/demo/read')),
  },
})
