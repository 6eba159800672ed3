/** `server_version_num` as people write it: 180004 is 18.4. */
export const postgresVersion = (number: number): string => `${Math.floor(number / 10_000)}.${number % 10_000}`
