import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const folder = (path: string) => readdirSync(join(root, path)).map((name) => join(path, name))
const pages = [
  'README.md',
  'ARCHITECTURE.md',
  'CONTRIBUTING.md',
  ...folder('docs/guides'),
  ...folder('docs/adr'),
  'docs/benchmarks.md',
]

/** The layer that the guide makes up as its example. */
const invented = /\/layers\/storage\//

/** Paths of the checkout that a page names in code or links to. */
function pathsIn(page: string, text: string): readonly string[] {
  const named = [...text.matchAll(/`((?:src|test|docs|bench|tools|examples|bin)\/[A-Za-z0-9_./-]+)`/g)].map(
    (match) => match[1] ?? '',
  )
  const linked = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map((match) => join(dirname(page), match[1] ?? ''))
  return [...named, ...linked]
}

describe('the pages', () => {
  it.each(pages)('%s names and links only what is there', (page) => {
    const paths = pathsIn(page, readFileSync(join(root, page), 'utf8')).filter((path) => !invented.test(path))
    const missing = paths.filter((path) => !existsSync(join(root, path)))
    expect(missing).toEqual([])
  })
  it('are read for their paths at all', () => {
    expect(pathsIn('docs/x.md', 'see `src/nowhere.ts` and [that](../gone.md)')).toEqual(['src/nowhere.ts', 'gone.md'])
  })
})
