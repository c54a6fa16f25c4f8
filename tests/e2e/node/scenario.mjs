// What both scripts share: the task comes as JSON on stdin, the outcome goes as JSON to stdout.
import { readFileSync } from 'node:fs'

export const task = JSON.parse(readFileSync(0, 'utf8'))
export const report = (outcome) => console.log(JSON.stringify(outcome))

// Both libraries repeat a parameter only when it comes as pairs.
export const bothResources = new URLSearchParams(task.resources.map((one) => ['resource', one]))

// What a call that must fail throws, as the library has read it.
export async function refusal(attempt) {
  try {
    return { unexpected: await attempt() }
  } catch (thrown) {
    const { code, status, error, error_description, cause, response } = thrown
    const seen = { name: thrown.constructor.name, code, status, error, error_description }
    if (Array.isArray(cause)) seen.challenges = cause
    if (response && !response.bodyUsed) seen.body = await response.json()
    return seen
  }
}
