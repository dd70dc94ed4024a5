import type { TestContext } from 'node:test'
import type { LightMyRequestResponse } from 'fastify'
import assert from 'node:assert/strict'
import { pino } from 'pino'
import { createApp } from '../src/http.ts'
import type { App, AppOptions } from '../src/http.ts'
import type { ProblemCode } from '../src/problem.ts'

/** An app of the test's own, closed after it; `lines` is what it logged. */
export async function testApp(
  t: TestContext,
  options: Partial<AppOptions> = {},
): Promise<{ app: App; lines: Record<string, unknown>[] }> {
  const lines: Record<string, unknown>[] = []
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  )
  const app = await createApp({ log, info: { title: 'Test', version: '1' }, ...options })
  t.after(() => app.close())
  return { app, lines }
}

/** Asserts that an answer is this problem, whole and well-formed, and returns its body. */
export function assertProblem(answer: LightMyRequestResponse, status: number, code: ProblemCode) {
  assert.equal(answer.statusCode, status, answer.body)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  assert.ok(answer.headers['x-request-id'])
  const body = answer.json<{
    code: string
    status: number
    title: string
    type: string
    detail: string
    errors?: { path: string; message: string }[]
    requestId?: string
  }>()
  assert.deepEqual(
    [body.code, body.status, typeof body.title, typeof body.type, typeof body.detail],
    [code, status, 'string', 'string', 'string'],
  )
  return body
}
