import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { scramKeys, scramVerifier } from '../../../../src/drivers/postgres/scram.ts'

describe('SCRAM-SHA-256 verifiers', () => {
  it('check the proof and give the server signature of the exchange in RFC 7677 §3', async () => {
    const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')
    const { storedKey, serverKey } = await scramKeys('pencil', salt, 4096)
    const authMessage =
      'n=user,r=rOprNGfwEbeRWgbNEkqO,' +
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,' +
      'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    // The client's proof XOR the signature under StoredKey is the client key, whose hash is StoredKey (RFC 5802 §3).
    const signature = createHmac('sha256', Buffer.from(storedKey, 'base64')).update(authMessage).digest()
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
    const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)))
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(storedKey)
    expect(createHmac('sha256', Buffer.from(serverKey, 'base64')).update(authMessage).digest('base64')).toBe(
      '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
    )
  })

  it('are in the form that PostgreSQL keeps, with 4096 rounds and a salt of their own each time', async () => {
    const [first, second] = [await scramVerifier('secret'), await scramVerifier('secret')]
    const parts = /^SCRAM-SHA-256\$4096:([A-Za-z0-9+/]{22}==)\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)$/.exec(first)
    expect(parts).not.toBeNull()
    const salted = pbkdf2Sync('secret', Buffer.from(parts?.[1] ?? '', 'base64'), 4096, 32, 'sha256')
    expect(createHmac('sha256', salted).update('Server Key').digest('base64')).toBe(parts?.[3])
    expect(second).not.toBe(first)
  })

  it.each(['', 'naïve', 'new\nline', 'nul\0'])('are refused for %j, which SASLprep might change', async (password) => {
    await expect(scramVerifier(password)).rejects.toMatchObject({ code: 'Rejected' })
    await expect(scramVerifier('plain ASCII ~!')).resolves.toContain('SCRAM-SHA-256')
  })
})
