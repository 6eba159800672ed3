/**
 * Tells one process from a later one that got the same number: the number, when it started, and its command line.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

export interface ProcessIdentity {
  readonly pid: number
  /** Opaque; equal only for one and the same process (until the machine restarts). */
  readonly started: string
  readonly command: string
}

async function fromProc(pid: number): Promise<ProcessIdentity | undefined> {
  const [stat, cmdline, boot] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => ''),
  ])
  // The name in parentheses may hold anything; fields are counted behind the last one (proc(5): starttime is 22).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  return { pid, started: `${boot.trim()}/${fields[19] ?? ''}`, command: cmdline.replaceAll('\0', ' ').trim() }
}

async function fromPs(pid: number): Promise<ProcessIdentity | undefined> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'stat=,lstart=,command=', '-p', String(pid)], {
    env: { ...process.env, LC_ALL: 'C' },
  })
  const found = /^\s*(\S+)\s+(\S+\s+\S+\s+\S+\s+\S+\s+\S+)\s+(.*)$/m.exec(stdout)
  if (found === null || found[1]?.startsWith('Z') === true) return undefined
  return { pid, started: found[2] ?? '', command: (found[3] ?? '').trim() }
}

/** What is running under this number now; undefined where nothing is (a zombie counts as nothing). */
export async function processIdentity(pid: number): Promise<ProcessIdentity | undefined> {
  try {
    return await (process.platform === 'linux' ? fromProc(pid) : fromPs(pid))
  } catch {
    return undefined
  }
}

/** Whether exactly this process still runs. */
export async function isRunning(identity: ProcessIdentity): Promise<boolean> {
  const now = await processIdentity(identity.pid)
  return now !== undefined && now.started === identity.started && now.command === identity.command
}
