// The manifests: no cluster is here, so what they say is compared with what it speaks of, and with each other.
import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import test from 'node:test'
// Here anyway, with @fastify/swagger.
import { parseAllDocuments } from 'yaml'
import { all, assertEnvironment, assertHealthPath, portOf, read } from './environment.ts'

type Labels = Record<string, string>
interface Probe {
  httpGet: { path: string; port: string }
}
interface Container {
  image: string
  args: string[]
  ports: { name: string; containerPort: number }[]
  envFrom: { configMapRef?: { name: string }; secretRef?: { name: string } }[]
  env: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string } } }[]
  startupProbe: Probe
  readinessProbe: Probe
  livenessProbe: Probe
  lifecycle: { preStop: { exec: { command: string[] } } }
  resources: { requests: Record<'cpu' | 'memory', string> }
  securityContext: { allowPrivilegeEscalation: boolean; readOnlyRootFilesystem: boolean }
}
interface Pod {
  metadata: { labels: Labels }
  spec: {
    containers: Container[]
    securityContext: { runAsNonRoot: boolean }
    terminationGracePeriodSeconds: number
    topologySpreadConstraints: { labelSelector: { matchLabels: Labels } }[]
  }
}
interface Manifest {
  kind: string
  metadata: { name: string }
  data?: Record<string, string>
  resources?: string[]
  images?: { name: string }[]
  spec: {
    replicas?: number
    template: Pod
    ports: { port: number; targetPort: string }[]
    selector: Labels & { matchLabels: Labels }
    podSelector: { matchLabels: Labels }
    scaleTargetRef: { kind: string; name: string }
  }
}

const root = join(import.meta.dirname, '..', '..')
const files = globSync('deploy/kubernetes/*.yaml', { cwd: root }).sort()
const manifests = files.flatMap((file) =>
  parseAllDocuments(read(file)).map((document) => {
    assert.deepEqual([...document.errors, ...document.warnings], [], file)
    return document.toJS() as Manifest
  }),
)
const find = (kind: string, name: string): Manifest => {
  const found = manifests.filter((manifest) => manifest.kind === kind && manifest.metadata?.name === name)
  assert.equal(found.length, 1, `${kind} ${name}`)
  return found[0]!
}
const drainSeconds = Number(/DRAIN_MS = (\d+)/.exec(read('packages/service/src/lifecycle.ts'))?.[1]) / 1000
const assertSelects = (selector: Labels, { metadata: { labels } }: Pod): void => {
  assert.ok(Object.keys(selector).length > 0)
  for (const [label, value] of Object.entries(selector)) assert.equal(labels[label], value, label)
}

for (const name of all) {
  const { selector, template: pod } = find('Deployment', name).spec
  const [container] = pod.spec.containers as [Container]

  test(`${name} is told what it needs, and no secret in the open`, () => {
    assert.deepEqual(container.args, [name])
    const shared = container.envFrom.flatMap(({ configMapRef }) =>
      configMapRef ? Object.entries(find('ConfigMap', configMapRef.name).data!) : [],
    )
    const open = container.env.flatMap((variable) =>
      variable.value === undefined ? [] : [[variable.name, variable.value]],
    )
    const hidden = container.env.flatMap((variable) => (variable.valueFrom ? [variable.name] : []))
    assertEnvironment(name, Object.fromEntries([...shared, ...open]), hidden)
    const infrastructure = container.envFrom.flatMap(({ secretRef }) => secretRef ?? [])
    assert.deepEqual(infrastructure, name === 'gateway' ? [] : [{ name: 'pando-infrastructure' }])
  })

  test(`${name} is found where system.ts says, and only it`, () => {
    const port = portOf(name)
    assert.deepEqual(container.ports, [{ name: 'http', containerPort: port }])
    const service = find('Service', name).spec
    assert.deepEqual(service.ports, [{ name: 'http', port, targetPort: 'http' }])
    assertSelects(service.selector, pod)
    assertSelects(selector.matchLabels, pod)
    assertSelects(find('PodDisruptionBudget', name).spec.selector.matchLabels, pod)
    for (const { labelSelector } of pod.spec.topologySpreadConstraints) assertSelects(labelSelector.matchLabels, pod)
  })

  test(`${name} is asked for its health, and has time to drain`, async () => {
    for (const { httpGet } of [container.startupProbe, container.readinessProbe, container.livenessProbe]) {
      assert.equal(httpGet.port, 'http')
      await assertHealthPath(httpGet.path)
    }
    const [program, seconds] = container.lifecycle.preStop.exec.command
    assert.equal(program, 'sleep')
    assert.ok(pod.spec.terminationGracePeriodSeconds > Number(seconds) + drainSeconds)
  })

  test(`${name} runs without rights, and asks for what it uses`, () => {
    assert.equal(pod.spec.securityContext.runAsNonRoot, true)
    assert.equal(container.securityContext.allowPrivilegeEscalation, false)
    assert.equal(container.securityContext.readOnlyRootFilesystem, true)
    assert.ok(container.resources.requests.cpu && container.resources.requests.memory)
  })
}

for (const name of ['gateway', 'notification'])
  test(`the ${name} is scaled by its autoscaler alone`, () => {
    assert.deepEqual(find('HorizontalPodAutoscaler', name).spec.scaleTargetRef, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      name,
    })
    assert.equal(find('Deployment', name).spec.replicas, undefined)
  })

test('only Pando itself reaches the services', () => {
  const { podSelector } = find('NetworkPolicy', 'services').spec
  for (const name of all.filter((one) => one !== 'gateway'))
    assertSelects(podSelector.matchLabels, find('Deployment', name).spec.template)
})

test('the kustomization has every file, and the image that they name', () => {
  const { resources, images } = manifests.find(({ kind }) => kind === 'Kustomization')!
  const others = files.map((file) => basename(file)).filter((file) => file !== 'kustomization.yaml')
  assert.deepEqual(resources?.toSorted(), others)
  for (const name of all)
    assert.equal(find('Deployment', name).spec.template.spec.containers[0]?.image, images?.[0]?.name)
})

test('no secret stands in a manifest', () => {
  assert.deepEqual(
    manifests.filter(({ kind }) => kind === 'Secret'),
    [],
  )
  for (const file of files) assert.doesNotMatch(read(file), /PRIVATE KEY|:\/\/[^/\s]*:[^/\s]*@/, file)
})
