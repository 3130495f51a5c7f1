{{- define "jsorc.name" -}}
{{- if eq .Release.Name .Chart.Name -}}
{{ .Chart.Name }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "jsorc.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "jsorc.labels" -}}
{{ include "jsorc.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "jsorc.metadata" -}}
name: {{ include "jsorc.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "jsorc.labels" . | nindent 2 }}
{{- end -}}

{{- /* Two must not have the claim: the next pod is made when the last one has ended. */ -}}
{{- define "jsorc.kind" -}}
{{ ternary "StatefulSet" "Deployment" .Values.persistence.enabled }}
{{- end -}}

{{- /* Name of the Lease of who decides; empty = the database tells. */ -}}
{{- define "jsorc.lease" -}}
{{- if eq (default "" .Values.settings.lease) "kubernetes" -}}
{{ default (include "jsorc.name" .) .Values.settings.lease_name }}
{{- end -}}
{{- end -}}

{{- define "jsorc.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- with include "jsorc.lease" . -}}
{{- $_ := set $settings "lease_name" . -}}
{{- end -}}
{{ toYaml $settings }}
{{- end -}}
