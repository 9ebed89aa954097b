{{/* The labels of every object; those of the pods that lead, and of what is about them, have a name of
     their own. */}}
{{- define "ecr-operator.labels" -}}
{{ include "ecr-operator.selector" . }}
{{ include "ecr-operator.release" . }}
{{- end }}

{{- define "ecr-operator.controllerLabels" -}}
{{ include "ecr-operator.controllerSelector" . }}
{{ include "ecr-operator.release" . }}
{{- end }}

{{- define "ecr-operator.release" -}}
app.kubernetes.io/part-of: ecr-operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The labels that find the pods that serve. A Deployment's selector cannot be changed, and the Service has
     to find the pods of a version that had one Deployment until new ones are ready: so these stay as they
     were. Names are fixed, not made from the release's: one cluster has one operator, and RBAC names its
     Lease, its Secret and its webhook configuration. */}}
{{- define "ecr-operator.selector" -}}
app.kubernetes.io/name: ecr-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels that find the pods that lead, which the Service must not find. */}}
{{- define "ecr-operator.controllerSelector" -}}
app.kubernetes.io/name: ecr-operator-controller
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The namespace of the probe pods. */}}
{{- define "ecr-operator.probeNamespace" -}}
{{ .Values.probe.namespace | default (printf "%s-probe" .Release.Namespace) }}
{{- end }}

{{/* The values of the pods that lead. helm upgrade --reuse-values leaves out what an older version did not
     have. */}}
{{- define "ecr-operator.checkValues" -}}
{{- if not (and .Values.webhook .Values.controller) }}
{{- fail "values webhook and controller are missing: upgrade with --reset-then-reuse-values in place of --reuse-values" }}
{{- end }}
{{- end }}
