{{/* A Deployment of the program. root: the chart's scope; name, of the Deployment; account, its
     ServiceAccount; role, of the process; replicas; resources; labels and selector, by the names of their
     templates; hostNetwork. */}}
{{- define "ecr-operator.deployment" -}}
{{- $root := .root }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include .labels $root | nindent 4 }}
spec:
  replicas: {{ .replicas }}
  selector:
    matchLabels: {{- include .selector $root | nindent 6 }}
  template:
    metadata:
      labels: {{- include .labels $root | nindent 8 }}
    spec:
      serviceAccountName: {{ .account }}
      {{- if .hostNetwork }}
      hostNetwork: true
      dnsPolicy: ClusterFirstWithHostNet
      {{- end }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
      {{- range . }}
      - name: {{ . }}
      {{- end }}
      {{- end }}
      {{- with $root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
      - name: operator
        {{- $version := $root.Values.image.tag | default $root.Chart.AppVersion | printf ":%s" }}
        {{- with $root.Values.image.digest }}{{ $version = printf "@%s" . }}{{ end }}
        {{- $repository := $root.Values.image.repository | required "image.repository is required: no image of ecr-operator is published yet" }}
        image: {{ printf "%s%s" $repository $version | quote }}
        imagePullPolicy: {{ $root.Values.image.pullPolicy }}
        args:
        - run
        - --role={{ .role }}
        - --cluster-id={{ $root.Values.clusterId | required "clusterId is required: what this cluster calls itself in the owner tags of repositories, kept when it is rebuilt" }}
        - --probe-namespace={{ include "ecr-operator.probeNamespace" $root }}
        {{- range $root.Values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
        env:
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        ports:
        {{- if eq .role "webhook" }}
        - name: admission
          containerPort: 9443
        {{- end }}
        - name: metrics
          containerPort: 8080
        livenessProbe:
          httpGet:
            path: /healthz
            port: metrics
        readinessProbe:
          httpGet:
            path: /readyz
            port: metrics
          periodSeconds: 5
        resources: {{- toYaml .resources | nindent 10 }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities:
            drop: [ALL]
      # Preferred, not required: a cluster of one node runs both.
      topologySpreadConstraints:
      {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
      - maxSkew: 1
        topologyKey: {{ . }}
        whenUnsatisfiable: ScheduleAnyway
        labelSelector:
          matchLabels: {{- include $.selector $root | nindent 12 }}
      {{- end }}
      {{- with $root.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $root.Values.affinity }}
      affinity: {{- toYaml . | nindent 8 }}
      {{- end }}
{{- end }}
