import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { aclItems, isKnownType, parseAclItem, privilegeNames } from '../../../../src/prover/grants/acl.ts'

/** As `putid` of the server prints a name. */
const putid = (name: string) => (/^[A-Za-z0-9_]*$/.test(name) ? name : `"${name.replaceAll('"', '""')}"`)

describe('access list items', () => {
  it.each([
    ['=Tc/postgres', '', 'postgres', { T: false, c: false }],
    ['acme=CTc/acme', 'acme', 'acme', { C: false, T: false, c: false }],
    ['acme=c*T/owner', 'acme', 'owner', { c: true, T: false }],
    ['"a=b"=r/"x/y"', 'a=b', 'x/y', { r: false }],
    ['"say ""hi"""=X/pg', 'say "hi"', 'pg', { X: false }],
    ['bob=/bob', 'bob', 'bob', {}],
    [
      'bob=arwdDxtm/bob',
      'bob',
      'bob',
      { a: false, r: false, w: false, d: false, D: false, x: false, t: false, m: false },
    ],
  ])('%s', (text, grantee, grantor, privileges) => {
    const item = parseAclItem(text)
    expect(item).toMatchObject({ grantee, grantor })
    expect(Object.fromEntries(item?.privileges ?? [])).toEqual(privileges)
  })

  it.each([
    '',
    'acme',
    'acme=c',
    'acme=Z/postgres',
    'acme=*c/postgres',
    'acme=c**/postgres',
    '"open=c/postgres',
    'a"b=c/postgres',
    'acme=c/post/gres',
    'acme=c/"x"y',
  ])('refuses %j instead of guessing', (text) => {
    expect(parseAclItem(text)).toBeUndefined()
    expect(aclItems('database', 'o', [text])).toBeUndefined()
  })

  it('reads back every name and set of privileges that the server may print', () => {
    const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
    const privileges = fc.uniqueArray(fc.tuple(fc.constantFrom(...Object.keys(privilegeNames)), fc.boolean()), {
      selector: ([letter]) => letter,
    })
    fc.assert(
      fc.property(fc.oneof(name, fc.constant('')), name, privileges, (grantee, grantor, held) => {
        const text = `${putid(grantee)}=${held.map(([letter, star]) => letter + (star ? '*' : '')).join('')}/${putid(grantor)}`
        const item = parseAclItem(text)
        expect({ ...item, privileges: [...(item?.privileges ?? [])] }).toEqual({ grantee, grantor, privileges: held })
      }),
    )
  })

  it.each([
    ['database', ['CTc', 'Tc']],
    ['function', ['X', 'X']],
    ['type', ['U', 'U']],
    ['language', ['U', 'U']],
    ['schema', ['UC', undefined]],
    ['table', ['arwdDxtm', undefined]],
    ['sequence', ['rwU', undefined]],
    ['foreign server', ['U', undefined]],
    ['large object', ['rw', undefined]],
  ] as const)(
    'a null list of a %s is the built-in default, which gives PUBLIC what it gives',
    (type, [own, everyone]) => {
      const items = aclItems(type, 'o', null)
      const letters = (grantee: string) => items?.find((item) => item.grantee === grantee)?.privileges
      expect(
        [letters('o'), letters('')].map((held) => (held === undefined ? undefined : [...held.keys()].join(''))),
      ).toEqual([own, everyone])
    },
  )

  it('does not know types that it does not know', () => {
    expect(aclItems('wormhole', 'o', null)).toBeUndefined()
    expect(isKnownType('wormhole')).toBe(false)
    expect(isKnownType('user mapping')).toBe(true)
  })
})
