import assert from 'node:assert/strict'
import test from 'node:test'
import { Problem, problemBody, problemTable, toProblem } from '../src/problem.ts'

const framework = (code: string, more: object = {}) => Object.assign(new Error('secret'), { code, ...more })

test('the codes and their statuses are those of the contract', () => {
  assert.deepEqual(
    Object.entries(problemTable).map(([code, { status }]) => `${code} ${status}`),
    [
      'validation_failed 400',
      'malformed_json 400',
      'unauthenticated 401',
      'invalid_credentials 401',
      'forbidden 403',
      'origin_refused 403',
      'not_found 404',
      'method_not_allowed 405',
      'conflict 409',
      'username_taken 409',
      'email_taken 409',
      'idempotency_mismatch 409',
      'post_not_open 409',
      'payload_too_large 413',
      'unsupported_media_type 415',
      'rate_limited 429',
      'internal 500',
      'unavailable 503',
    ],
  )
})

test('a body has what RFC 9457 asks for, and the request id only in a 500', () => {
  assert.deepEqual(problemBody(new Problem('conflict', { detail: 'No.' }), 'r1'), {
    type: '/api/docs#problem-conflict',
    title: 'The current state does not allow this',
    status: 409,
    detail: 'No.',
    code: 'conflict',
  })
  assert.equal(problemBody(new Problem('internal'), 'r1').requestId, 'r1')
})

test('who must wait or log in is told so in the headers', () => {
  assert.equal(new Problem('unavailable').headers['retry-after'], '1')
  assert.equal(new Problem('rate_limited', { headers: { 'retry-after': '9' } }).headers['retry-after'], '9')
  assert.equal(new Problem('unauthenticated').headers['www-authenticate'], 'Bearer')
})

test('errors of the framework become problems', () => {
  for (const [code, statusCode, expected] of [
    ['FST_ERR_CTP_EMPTY_JSON_BODY', 400, 'malformed_json'],
    ['FST_ERR_CTP_INVALID_JSON_BODY', 400, 'malformed_json'],
    ['FST_ERR_CTP_BODY_TOO_LARGE', 413, 'payload_too_large'],
    ['FST_ERR_CTP_INVALID_MEDIA_TYPE', 415, 'unsupported_media_type'],
    ['FST_ERR_BAD_URL', 400, 'not_found'],
    ['FST_ERR_MAX_PARAM_LENGTH', 414, 'not_found'],
    ['FST_ERR_NOT_FOUND', 404, 'not_found'],
    ['FST_UNDER_PRESSURE', 503, 'unavailable'],
    ['FST_REPLY_FROM_GATEWAY_TIMEOUT', 504, 'unavailable'],
    ['FST_ERR_DEC_UNDECLARED', 500, 'internal'],
  ] as const)
    assert.equal(toProblem(framework(code, { statusCode })).code, expected, code)
})

test('faults are JSON pointers; a missing member names itself', () => {
  const validation = [
    {
      keyword: 'required',
      instancePath: '',
      message: 'must have required property',
      params: { missingProperty: 'a/b~c' },
    },
    {
      keyword: 'minLength',
      instancePath: '/password',
      message: 'must NOT have fewer than 10 characters',
      params: { limit: 10 },
    },
  ]
  assert.deepEqual(toProblem(framework('FST_ERR_VALIDATION', { validation, validationContext: 'body' })).errors, [
    { path: '/a~1b~0c', message: 'is required' },
    { path: '/password', message: 'must NOT have fewer than 10 characters' },
  ])
  assert.equal(
    toProblem(framework('FST_ERR_VALIDATION', { validation, validationContext: 'params' })).code,
    'not_found',
  )
})

test('transient errors are unavailable, whoever else names a status is not believed', () => {
  assert.equal(toProblem(framework('40P01')).code, 'unavailable')
  assert.equal(toProblem(new TypeError('fetch failed', { cause: framework('ECONNREFUSED') })).code, 'unavailable')
  for (const thrown of [framework('SOMETHING', { statusCode: 404 }), new Error('secret'), 'secret', undefined, null]) {
    const problem = toProblem(thrown)
    assert.equal(problem.code, 'internal')
    assert.doesNotMatch(JSON.stringify(problemBody(problem, 'r')), /secret/)
    assert.equal(problem.cause, thrown)
  }
  const own = new Problem('forbidden')
  assert.equal(toProblem(own), own)
})
