// Does a client on the types of openapi-typescript compile, ask, and read an answer and a problem by its type?
import { readFileSync } from 'node:fs'
import createClient from 'openapi-fetch'
import { proving, type Told } from './proof.js'
import type { components, paths } from './typescript/schema.js'

type Slug<T extends string> = T extends `${string}/problems/${infer S}` ? S : never
const refused: Slug<components['schemas']['ProblemType']> = 'purpose-not-agreed'

const told: Told = JSON.parse(readFileSync(0, 'utf8'))
const client = createClient<paths>({ baseUrl: told.issuer, fetch: proving(told) })
const { data, response } = await client.POST('/v1/verifications', { body: told.question })
const { error } = await client.POST('/v1/verifications', { body: { ...told.question, purpose: 'nothing' } })
const problem: components['schemas']['Problem'] | undefined = error
console.log(JSON.stringify({
  status: response.status, usable: data?.usable, refused: problem?.status, as: problem?.type.endsWith(refused),
}))
