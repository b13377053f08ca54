import { basename } from 'node:path';
import { type LoadJob, ManifestError, type Scheduler } from './manifest.js';
import { shellLine, shellWord } from './shell.js';

/** Pods are scheduled, and images pulled, before the common start. */
const START_IN_MS = 120_000;
const FILES_FOLDER = '/load';

/** An Indexed Job, with the commands that merge the results of its pods. */
export const kubernetes: Scheduler = { manifest };

function manifest(job: LoadJob): string {
  const { words, count, name, mergeWords, secrets, files, image, nowMs } = job;
  const startAt = job.startAt ?? new Date(nowMs + START_IN_MS).toISOString().replace(/\.\d+Z$/, 'Z');
  const args = [
    ...words.map((word) => inFolder(word, files)),
    ...['--segment', `auto/${count}`, '--start-at', startAt, '--run-id', name],
    // The log of a pod holds both streams, and must hold nothing but the result.
    ...['--format', 'json', '--quiet'],
  ];
  return `${[
    ...comments(job, startAt),
    'apiVersion: batch/v1',
    'kind: Job',
    'metadata:',
    `  name: ${name}`,
    'spec:',
    '  completionMode: Indexed',
    `  completions: ${count}`,
    `  parallelism: ${count}`,
    '  # A segment that ran twice would be another load. A pod that fails ends the whole Job.',
    '  backoffLimit: 0',
    '  template:',
    '    spec:',
    '      restartPolicy: Never',
    '      topologySpreadConstraints:',
    '        - maxSkew: 1',
    '          topologyKey: kubernetes.io/hostname',
    '          whenUnsatisfiable: ScheduleAnyway',
    '          labelSelector:',
    '            matchLabels:',
    `              job-name: ${name}`,
    '      containers:',
    '        - name: poolctl',
    `          image: ${text(image)}`,
    ...(files.length > 0 ? [`          workingDir: ${FILES_FOLDER}`] : []),
    '          args:',
    ...args.map((word) => `            - ${text(word.replaceAll('$(', () => '$$('))}`),
    ...(secrets.length > 0 ? ['          env:', ...secrets.flatMap((one) => secretLines(name, one))] : []),
    '          resources:',
    '            requests:',
    '              cpu: "1"',
    '              memory: 256Mi',
    ...(files.length > 0 ? volumeLines(name) : []),
  ].join('\n')}\n`;

  function comments(of: LoadJob, at: string): string[] {
    const own = files.map((file) => `--from-file=${shellWord(file)}`);
    refuseSameNames(files);
    return [
      `# ${of.count} segments of a load as an Indexed Job. They start at ${at}.`,
      '#',
      ...(secrets.length > 0
        ? [
            '# The password, where the target asks for one:',
            ...secrets.map(
              (one) => `#   kubectl create secret generic ${name} --from-literal=${one}="$${one}"`,
            ),
          ]
        : []),
      ...(own.length > 0
        ? ['# The files:', `#   kubectl create configmap ${name}-files ${own.join(' ')}`]
        : []),
      '# The run, and its merge:',
      '#   kubectl apply -f FILE',
      `#   until kubectl get job ${name} -o jsonpath='{.status.conditions[*].type}' | grep -qE 'Complete|Failed'; do sleep 2; done`,
      `#   mkdir ${name}`,
      `#   for pod in $(kubectl get pods -l job-name=${name} --field-selector=status.phase=Succeeded -o name); do`,
      `#     kubectl logs "$pod" > "${name}/\${pod##*/}.json"`,
      '#   done',
      `#   ${shellLine(['poolctl', 'merge', ...mergeWords], [`${name}/*.json`])}`,
    ];
  }
}

function secretLines(name: string, variable: string): string[] {
  return [
    `            - name: ${variable}`,
    '              valueFrom:',
    '                secretKeyRef:',
    `                  name: ${name}`,
    `                  key: ${variable}`,
    '                  optional: true',
  ];
}

function volumeLines(name: string): string[] {
  return [
    '          volumeMounts:',
    '            - name: files',
    `              mountPath: ${FILES_FOLDER}`,
    '              readOnly: true',
    '      volumes:',
    '        - name: files',
    '          configMap:',
    `            name: ${name}-files`,
  ];
}

/** A file is named by its place in the pod; one of scripts has its weight behind it. */
function inFolder(word: string, files: readonly string[]): string {
  const [, file = word] = /^(.+)@\d+$/.exec(word) ?? [];
  return files.includes(word) || files.includes(file) ? basename(word) : word;
}

/** All files lie in one folder of the pod. */
function refuseSameNames(files: readonly string[]): void {
  const double = files.find((file, at) => files.findIndex((one) => basename(one) === basename(file)) < at);
  if (double !== undefined)
    throw new ManifestError(`two files have the name ${basename(double)}, and a pod has one folder for all`);
}

/** A scalar of YAML: JSON is a part of it. */
function text(value: string): string {
  return JSON.stringify(value);
}
