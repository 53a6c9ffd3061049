package attack

func factorAttacks() []attack   { return nil }
func gatewayAttacks() []attack  { return nil }
func limitAttacks() []attack    { return nil }
func trailAttacks() []attack    { return nil }
func inputAttacks() []attack    { return nil }
func operatorAttacks() []attack { return nil }
