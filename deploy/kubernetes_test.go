package deploy_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// kustomization is the part of kustomization.yaml that is used; more is an error.
type kustomization struct {
	metav1.TypeMeta `json:",inline"`
	Namespace       string `json:"namespace"`
	Labels          []struct {
		Pairs map[string]string `json:"pairs"`
	} `json:"labels"`
	Images []struct {
		Name    string `json:"name"`
		NewName string `json:"newName"` //nolint:tagliatelle // kustomize's name, as the next
		NewTag  string `json:"newTag"`  //nolint:tagliatelle // see above
	} `json:"images"`
	Resources []string `json:"resources"`
}

// typed is an empty object of Kubernetes' own types for each kind that the manifests may have.
func typed(kind string) any {
	return map[string]any{
		"v1/Namespace": &corev1.Namespace{}, "v1/ServiceAccount": &corev1.ServiceAccount{}, "v1/ConfigMap": &corev1.ConfigMap{},
		"v1/Secret": &corev1.Secret{}, "v1/Service": &corev1.Service{}, "apps/v1/Deployment": &appsv1.Deployment{},
		"batch/v1/Job": &batchv1.Job{}, "policy/v1/PodDisruptionBudget": &policyv1.PodDisruptionBudget{},
		"autoscaling/v2/HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{},
		"networking.k8s.io/v1/NetworkPolicy":     &networkingv1.NetworkPolicy{},
	}[kind]
}

// manifests are all objects of the base and the example of a Secret, each decoded as strictly as the API server does
// it: a member that its type lacks, or that is there twice, is an error.
func manifests(t *testing.T) map[string]any {
	t.Helper()
	var base kustomization
	readStrictly(t, read(t, "kustomization.yaml"), &base)
	files, err := filepath.Glob(filepath.Join("kubernetes", "*.yaml"))
	require.NoError(t, err)
	require.Len(t, files, len(base.Resources)+2, "every file but kustomization.yaml and secret.example.yaml is a resource")
	objects := map[string]any{}
	for _, file := range append([]string{"secret.example.yaml"}, base.Resources...) {
		for document := range bytes.SplitSeq(read(t, file), []byte("\n---\n")) {
			var header struct {
				metav1.TypeMeta `json:",inline"`
				Metadata        metav1.ObjectMeta `json:"metadata"`
			}
			require.NoError(t, yaml.Unmarshal(document, &header), file)
			object := typed(header.APIVersion + "/" + header.Kind)
			require.NotNilf(t, object, "%s: %s/%s", file, header.APIVersion, header.Kind)
			readStrictly(t, document, object)
			name := header.Kind + "/" + header.Metadata.Name
			require.NotContainsf(t, objects, name, "%s: twice", file)
			objects[name] = object
		}
	}
	return objects
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("kubernetes", file))
	require.NoError(t, err)
	return text
}

func readStrictly(t *testing.T, text []byte, into any) {
	t.Helper()
	require.NoErrorf(t, yaml.UnmarshalStrict(text, into), "%s", text)
}

// object is the one of that kind and name.
func object[T any](t *testing.T, objects map[string]any, name string) T {
	t.Helper()
	found, ok := objects[name].(T)
	require.Truef(t, ok, "%s is missing", name)
	return found
}

// pods are the templates of all pods.
func pods(t *testing.T, objects map[string]any) map[string]corev1.PodTemplateSpec {
	t.Helper()
	return map[string]corev1.PodTemplateSpec{
		"api":     object[*appsv1.Deployment](t, objects, "Deployment/posthorn-api").Spec.Template,
		"worker":  object[*appsv1.Deployment](t, objects, "Deployment/posthorn-worker").Spec.Template,
		"migrate": object[*batchv1.Job](t, objects, "Job/posthorn-migrate").Spec.Template,
	}
}

func TestKubernetesPodsMayDoNothingButTheirWork(t *testing.T) {
	t.Parallel()
	objects := manifests(t)
	for name, pod := range pods(t, objects) {
		require.NotNil(t, object[*corev1.ServiceAccount](t, objects, "ServiceAccount/"+pod.Spec.ServiceAccountName))
		require.False(t, *pod.Spec.AutomountServiceAccountToken, name)
		require.True(t, *pod.Spec.SecurityContext.RunAsNonRoot, name)
		require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.Spec.SecurityContext.SeccompProfile.Type, name)
		require.Empty(t, pod.Spec.Volumes, name)
		for _, c := range pod.Spec.Containers {
			require.Equal(t, "posthorn", c.Image, "kustomization.yaml sets it")
			require.True(t, *c.SecurityContext.ReadOnlyRootFilesystem, name)
			require.False(t, *c.SecurityContext.AllowPrivilegeEscalation, name)
			require.Equal(t, []corev1.Capability{"ALL"}, c.SecurityContext.Capabilities.Drop, name)
			require.NotEmpty(t, c.Resources.Requests, name)
			require.NotZero(t, c.Resources.Limits.Memory().Value(), name)
		}
	}
}

func TestKubernetesSetsWhatTheProgramReads(t *testing.T) {
	t.Parallel()
	objects := manifests(t)
	known := settings()
	known["GOMEMLIMIT"] = true
	config := object[*corev1.ConfigMap](t, objects, "ConfigMap/posthorn")
	secret := object[*corev1.Secret](t, objects, "Secret/posthorn")
	for variable := range config.Data {
		require.Truef(t, known[variable], "%s is no setting", variable)
	}
	for key, value := range secret.StringData {
		require.Truef(t, known[key], "%s is no setting", key)
		require.Empty(t, value, "an example must not become anybody's secret")
	}
	for name, pod := range pods(t, objects) {
		for _, variable := range pod.Spec.Containers[0].Env {
			require.Truef(t, known[variable.Name], "%s: %s is no setting", name, variable.Name)
			if from := variable.ValueFrom; from != nil {
				require.Contains(t, secret.StringData, from.SecretKeyRef.Key)
				require.Equal(t, secret.Name, from.SecretKeyRef.Name)
			}
		}
	}
}

// What is chosen by labels or names is there, so that no budget, autoscaler, service or policy is about nothing.
func TestKubernetesObjectsMeetEachOther(t *testing.T) {
	t.Parallel()
	objects := manifests(t)
	templates := pods(t, objects)
	for _, role := range []string{"api", "worker"} {
		labels := templates[role].Labels
		deployment := object[*appsv1.Deployment](t, objects, "Deployment/posthorn-"+role)
		require.Equal(t, labels, deployment.Spec.Selector.MatchLabels)
		budget := object[*policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget/posthorn-"+role)
		require.Equal(t, labels, budget.Spec.Selector.MatchLabels)
		scaler := object[*autoscalingv2.HorizontalPodAutoscaler](t, objects, "HorizontalPodAutoscaler/posthorn-"+role)
		require.Equal(t, deployment.Name, scaler.Spec.ScaleTargetRef.Name)
		require.GreaterOrEqual(t, *scaler.Spec.MinReplicas, int32(2), "one may be disrupted")
		require.Nil(t, deployment.Spec.Replicas, "the autoscaler's")
		policy := object[*networkingv1.NetworkPolicy](t, objects, "NetworkPolicy/posthorn-"+role)
		require.Equal(t, labels, policy.Spec.PodSelector.MatchLabels)
		port := templates[role].Spec.Containers[0].Ports[0]
		require.Equal(t, port.ContainerPort, policy.Spec.Ingress[0].Ports[0].Port.IntVal)
	}
	service := object[*corev1.Service](t, objects, "Service/posthorn-api")
	require.Equal(t, templates["api"].Labels, service.Spec.Selector)
	require.Equal(t, templates["api"].Spec.Containers[0].Ports[0].Name, service.Spec.Ports[0].TargetPort.StrVal)
}

// The rules that are comments let pods reach a collector and a proxy in the cluster once they are taken in.
func TestKubernetesPoliciesHaveRulesForCollectorAndProxy(t *testing.T) {
	t.Parallel()
	text := regexp.MustCompile(`(?m)^    # (- to:|  ports:)`).ReplaceAll(read(t, "network-policy.yaml"), []byte("    $1"))
	open := map[string][]int32{}
	for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var policy networkingv1.NetworkPolicy
		readStrictly(t, document, &policy)
		for _, rule := range policy.Spec.Egress {
			for _, port := range rule.Ports {
				open[policy.Name] = append(open[policy.Name], port.Port.IntVal)
			}
		}
	}
	require.Subset(t, open["posthorn"], []int32{4317, 4318})
	require.Subset(t, open["posthorn-receivers"], []int32{80, 443, 3128})
}

// stopSeconds is how long the program takes to end at most.
func stopSeconds(t *testing.T) int64 {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(root, "commands.go"))
	require.NoError(t, err)
	match := regexp.MustCompile(`stopTimeout = (\d+) \* time\.Second`).FindSubmatch(source)
	require.Len(t, match, 2)
	stop, err := strconv.ParseInt(string(match[1]), 10, 64)
	require.NoError(t, err)
	return stop
}

// The probes ask where the processes answer, and a pod that ends gets the time that the program takes.
func TestKubernetesProbesAndTheTimeToEnd(t *testing.T) {
	t.Parallel()
	stop := stopSeconds(t)
	templates := pods(t, manifests(t))
	for role, listen := range map[string]string{"api": "POSTHORN_LISTEN", "worker": "POSTHORN_WORKER_LISTEN"} {
		pod := templates[role].Spec
		c := pod.Containers[0]
		require.Equal(t, []string{role}, c.Args)
		require.Equal(t, "/healthz", c.LivenessProbe.HTTPGet.Path)
		require.Equal(t, "/readyz", c.ReadinessProbe.HTTPGet.Path)
		for _, probe := range []*corev1.Probe{c.LivenessProbe, c.ReadinessProbe} {
			require.Equal(t, c.Ports[0].Name, probe.HTTPGet.Port.StrVal)
		}
		require.Contains(t, c.Env, corev1.EnvVar{Name: listen, Value: "0.0.0.0:" + strconv.Itoa(int(c.Ports[0].ContainerPort))})
		before := int64(0)
		if c.Lifecycle != nil {
			before = c.Lifecycle.PreStop.Sleep.Seconds
		}
		require.Greater(t, *pod.TerminationGracePeriodSeconds, before+stop, role)
	}
	require.Equal(t, "migrate up", strings.Join(templates["migrate"].Spec.Containers[0].Args, " "))
}
