{{/* The labels of every object. */}}
{{- define "ecr-operator.labels" -}}
{{ include "ecr-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The labels that find our pods. Names are fixed, not made from the release's: one cluster has
     one operator, and RBAC names its Lease, its Secret and its webhook configuration. */}}
{{- define "ecr-operator.selector" -}}
app.kubernetes.io/name: ecr-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The namespace of the probe pods. */}}
{{- define "ecr-operator.probeNamespace" -}}
{{ .Values.probe.namespace | default (printf "%s-probe" .Release.Namespace) }}
{{- end }}
