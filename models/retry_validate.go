package models

// Validate returns an Error that names every member at fault: a missing or foreign member of the kind, a delay
// outside 10 ms – 168 h, a negative or absurd number.
func (p RetryPolicy) Validate() error {
	var f Faults
	switch p.Kind {
	case RetryFixed:
		checkDelay(&f, "interval", p.Interval)
	case RetryExponential:
		checkDelay(&f, "initial", p.Initial)
		checkRange(&f, "factor", p.Factor, 1, 100)
	case RetryPolynomial:
		checkDelay(&f, "initial", p.Initial)
		p.checkDegree(&f)
	case RetrySchedule:
		p.checkSchedule(&f)
	default:
		f.Add("kind", "must be one of fixed, exponential, polynomial, schedule")
		return f.Err()
	}
	p.checkForeign(&f)
	p.checkLimits(&f)
	return f.Err()
}

// checkDegree refuses 0, which is what is left out: without growth a policy is fixed.
func (p RetryPolicy) checkDegree(f *Faults) {
	if !(p.Degree > 0 && p.Degree <= 10) { // also refuses NaN
		f.Add("degree", "must be above 0, and 10 at most")
	}
}

func (p RetryPolicy) checkSchedule(f *Faults) {
	if len(p.Delays) == 0 || len(p.Delays) > MaxRetryEntries {
		f.Add("delays", "must list 1 to %d delays", MaxRetryEntries)
		return
	}
	for _, d := range p.Delays {
		checkDelay(f, "delays", d)
	}
}

// checkForeign refuses members of another kind: silently ignored, they would look like a setting that works.
func (p RetryPolicy) checkForeign(f *Faults) {
	foreign := []struct {
		name string
		set  bool
		used bool
	}{
		{"interval", p.Interval != 0, p.Kind == RetryFixed},
		{"initial", p.Initial != 0, p.Kind == RetryExponential || p.Kind == RetryPolynomial},
		{"factor", p.Factor != 0, p.Kind == RetryExponential},
		{"degree", p.Degree != 0, p.Kind == RetryPolynomial},
		{"delays", len(p.Delays) > 0, p.Kind == RetrySchedule},
	}
	for _, member := range foreign {
		if member.set && !member.used {
			f.Add(member.name, "does not belong to kind %s", p.Kind)
		}
	}
}

func (p RetryPolicy) checkLimits(f *Faults) {
	if p.MaxInterval != 0 {
		checkDelay(f, "max_interval", p.MaxInterval)
	}
	if p.MaxAttempts < 0 || p.MaxAttempts > 1_000_000 {
		f.Add("max_attempts", "must be 0 (unlimited) to 1000000")
	}
	if p.MaxAge < 0 || p.MaxAge.Std() > 100*MaxRetryDelay {
		f.Add("max_age", "must be 0 (unlimited) to 16800h")
	}
	checkRange(f, "jitter", p.Jitter, 0, 1)
}

func checkDelay(f *Faults, location string, d Duration) {
	if d.Std() < MinRetryDelay || d.Std() > MaxRetryDelay {
		f.Add(location, "must be 10ms to 168h")
	}
}

func checkRange(f *Faults, location string, value, low, high float64) {
	if !(value >= low && value <= high) { // also refuses NaN
		f.Add(location, "must be %g to %g", low, high)
	}
}
