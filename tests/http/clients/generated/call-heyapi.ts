// Does the client that @hey-api/openapi-ts writes compile, ask, and read an answer and a problem by its type?
import { readFileSync } from 'node:fs'
import { createClient } from './heyapi/client/index.js'
import { verify } from './heyapi/sdk.gen.js'
import type { Problem, ProblemType } from './heyapi/types.gen.js'
import { proving, type Told } from './proof.js'

type Slug<T extends string> = T extends `${string}/problems/${infer S}` ? S : never
const refused: Slug<ProblemType> = 'purpose-not-agreed'

const told: Told = JSON.parse(readFileSync(0, 'utf8'))
const prove = proving(told)
const client = createClient({ baseUrl: told.issuer, fetch: (request) => prove(request as Request) })
const { data, response } = await verify({ client, body: told.question })
const { error } = await verify({ client, body: { ...told.question, purpose: 'nothing' } })
const problem: Problem | undefined = error
console.log(JSON.stringify({
  status: response?.status, usable: data?.usable, refused: problem?.status, as: problem?.type.endsWith(refused),
}))
