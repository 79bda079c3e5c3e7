"""What is known of an application when it arrives: income, contradictions, copies, velocity, burden, and forgery."""
