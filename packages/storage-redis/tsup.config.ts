import { cp } from 'node:fs/promises'
import { libraryBuild } from '../../tsup.base.ts'

export default libraryBuild(
  { index: 'src/index.ts' },
  {
    // Scripts are read from beside the module that runs them.
    onSuccess: () => cp('src/scripts', 'dist/scripts', { recursive: true }),
  },
)
