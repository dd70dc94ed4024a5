// All of Pando in one process: `npm start`.
import { createLog, loadConfig, run } from '@pando/service'
import { SERVICE_NAMES, startServices } from './pando.ts'

await run('Pando', async (signal) => {
  const config = loadConfig(process.env)
  return startServices(SERVICE_NAMES, { config, log: createLog({ level: config.logLevel, name: 'pando' }), signal })
})
