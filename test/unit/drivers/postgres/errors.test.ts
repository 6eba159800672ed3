import { describe, expect, it } from 'vitest'
import { classify, outcomeUnknown, sqlState } from '../../../../src/drivers/postgres/errors.ts'

const fromServer = (code: string, message = 'it says so') =>
  Object.assign(new Error(message), { code, severity: 'ERROR' })
const fromSystem = (code: string) => Object.assign(new Error(`connect ${code}`), { code })

describe('errors of PostgreSQL', () => {
  it.each([
    ['42501', 'Forbidden'],
    ['42710', 'AlreadyExists'],
    ['42P04', 'AlreadyExists'],
    ['3D000', 'NotFound'],
    ['28P01', 'Unauthenticated'],
    ['28000', 'Unauthenticated'],
    ['57014', 'Timeout'],
    ['55P03', 'Timeout'],
    ['40P01', 'Conflict'],
    ['55006', 'Conflict'],
    ['53300', 'RateLimited'],
    ['53100', 'BackendFault'],
    ['57P01', 'Unreachable'],
    ['57P03', 'Waiting'],
    ['08006', 'Unreachable'],
    ['22023', 'Rejected'],
    ['42601', 'Rejected'],
    ['2BP01', 'Rejected'],
    ['58P01', 'BackendFault'],
    ['XX001', 'BackendFault'],
    ['ZZ999', 'Rejected'],
  ])('SQLSTATE %s is %s, and is kept as a fact', (state, code) => {
    expect(classify(fromServer(state), 'try it')).toMatchObject({ code, facts: { sqlstate: state } })
  })

  it.each([
    ['ECONNREFUSED', 'Unreachable'],
    ['ECONNRESET', 'Unreachable'],
    ['ENOTFOUND', 'Unreachable'],
    ['ETIMEDOUT', 'Timeout'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'Unreachable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'Unreachable'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'Unreachable'],
  ])('the system error %s is %s', (errno, code) => {
    expect(classify(fromSystem(errno), 'try it').code).toBe(code)
  })

  it('a cancelled statement is Aborted where we called it off, a time-out where we did not', () => {
    expect(classify(fromServer('57014'), 'try it', AbortSignal.abort()).code).toBe('Aborted')
    expect(classify(fromServer('57014'), 'try it', new AbortController().signal).code).toBe('Timeout')
    expect(classify(fromServer('42501'), 'try it', AbortSignal.abort()).code).toBe('Forbidden')
  })

  it('two writers of one catalog row conflict; other internal errors are faults', () => {
    expect(classify(fromServer('XX000', 'tuple concurrently updated'), 'try it').code).toBe('Conflict')
    expect(classify(fromServer('XX000'), 'try it').code).toBe('BackendFault')
  })

  it('nothing is concluded from a lost connection, and a refusal is a refusal', () => {
    expect(outcomeUnknown(classify(fromSystem('ECONNRESET'), 'try it'))).toBe(true)
    expect(outcomeUnknown(classify(fromServer('57P01'), 'try it'))).toBe(true)
    expect(outcomeUnknown(classify(fromServer('42710'), 'try it'))).toBe(false)
    expect(sqlState(new Error('no state'))).toBeUndefined()
  })

  it('says what was tried and never carries the statement', () => {
    const error = classify(
      Object.assign(fromServer('42601'), { query: 'ALTER ROLE x PASSWORD …', detail: 'secret' }),
      'update role x',
    )
    expect(error.message).toBe('update role x: it says so (SQLSTATE 42601)')
    expect(JSON.stringify(error.facts)).toBe('{"sqlstate":"42601"}')
  })
})
